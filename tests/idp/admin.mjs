// The control of the tests, under /__admin/ of the door without TLS.
import { counts } from './counts.mjs';
import { setDiscovery } from './discovery.mjs';
import { forget, lastRequests, release, setFault, tokenState } from './door.mjs';
import { revokeAll } from './issued.mjs';
import { json, readBody } from './messages.mjs';
import { currentNonce, newNonce } from './proof.mjs';
import { lifetime, rotate, signing } from './provider.mjs';
import { orderResource } from './resource.mjs';

// `world` knows the clients and how to build the providers again, which new signing keys need.
export async function admin(req, res, world) {
  const what = req.url.slice('/__admin/'.length);
  const order = req.method === 'POST' ? JSON.parse(await readBody(req) || '{}') : {};
  let refusal;
  switch (`${req.method} ${what}`) {
    case 'GET stats': return json(res, 200, { ...counts, ...tokenState(), ...others() });
    case 'GET last': return json(res, 200, lastRequests());
    case 'GET clients':
      return json(res, 200, world.clients.map((c) => [c.client_id, c.token_endpoint_auth_method, c.client_secret]));
    case 'POST fault': refusal = setFault(order); break;
    case 'POST discovery': refusal = setDiscovery(order); break;
    case 'POST resource': orderResource(order); break;
    case 'POST resource-nonce': newNonce(); break;
    case 'POST release': release(); break;
    case 'POST reset': reset(); break;
    case 'POST ttl': lifetime.seconds = order.ttl; break;
    // From now on the resource server answers 401 to every token issued so far.
    case 'POST revoke-all': revokeAll(); break;
    case 'POST rotate': await rotate(order.keep_old); world.build(); break;
    default: refusal = `no such control: ${what}`;
  }
  json(res, refusal ? 400 : 200, refusal ? { error: refusal } : { ok: true });
}

const others = () => ({ ttl: lifetime.seconds, generation: signing.generation, resource_nonce: currentNonce() });

function reset() {
  forget();
  setDiscovery({});
  orderResource({});
}
