// The protected API: answers an echo to a request that carries a token of ours, else 401 as RFC 6750 says. /open needs none.
import { counts, tally } from './counts.mjs';
import { validate } from './issued.mjs';
import { json, readBody } from './messages.mjs';
import { Order } from './orders.mjs';
import { checkProof, nonceHeader, thumbprint } from './proof.mjs';

const orders = new Order();

// A status, and the challenge with it, for requests of any kind, whatever they carry.
export const orderResource = (order) => orders.set(order, order.status);

export async function resource(req, res) {
  counts.resource_requests += 1;
  res.on('close', () => tally(counts.resource_by_status, res.statusCode));
  // Before the body is read: whether an order is left must not depend on which body comes in first.
  const order = orders.take();
  const body = await readBody(req).catch(() => '');
  if (order) return json(res, order.status, { error: 'as ordered' }, challenge(order.www_authenticate));
  const echo = { method: req.method, url: req.url, headers: req.headers, raw_headers: req.rawHeaders, body };
  if (req.url.startsWith('/open')) return json(res, 200, echo);
  const [, scheme, token] = /^(Bearer|DPoP) (\S+)$/i.exec(req.headers.authorization ?? '') ?? [];
  if (!token) return json(res, 401, {}, challenge('Bearer realm="resource"'));
  let claims;
  try {
    claims = await validate(token);
    checkCertificate(claims, req);
    await checkProof(claims, scheme, token, req);
  } catch ({ error = 'invalid_token' }) {
    return refuse(res, error, claims?.cnf?.jkt || scheme.toLowerCase() === 'dpop');
  }
  json(res, 200, { ...echo, claims }, nonceHeader());
}

const challenge = (text) => (text ? { 'www-authenticate': text } : {});

function refuse(res, error, bound) {
  const text = bound ? `DPoP error="${error}"` : `Bearer realm="resource", error="${error}"`;
  json(res, 401, { error }, { ...challenge(text), ...error === 'use_dpop_nonce' ? nonceHeader() : {} });
}

// RFC 8705 §3: the token works only over a connection with the certificate it was issued to.
function checkCertificate(claims, req) {
  const wanted = claims.cnf?.['x5t#S256'];
  if (wanted && thumbprint(req.socket.getPeerX509Certificate().raw) !== wanted) throw new Error('other certificate');
}
