// The documents of RFC 8414 and OpenID Connect Discovery: the provider writes both, here they are counted and, on demand,
// wrong. The orders of the tests are those of `faults.mjs` and the edits below.
import { counts, tally } from './counts.mjs';
import { answers, editJson } from './faults.mjs';
import { Order } from './orders.mjs';

const edits = {
  wrong_issuer: (document) => { document.issuer = 'https://elsewhere.test'; },
  // It works, so nothing but the client keeps its secret from going there.
  http_token_endpoint: (document, plain) => { document.token_endpoint = plain; },
};

const faults = new Order();

export function setDiscovery(order) {
  if (order.mode && !(order.mode in edits || order.mode in answers)) return `no such fault: ${order.mode}`;
  faults.set(order, order.mode);
}

export const discoveryName = (url) => /^\/\.well-known\/(oauth-authorization-server|openid-configuration)(\?|$)/.exec(url)?.[1];

// `plain` is the token endpoint without TLS.
export function discovery(req, res, name, provider, plain) {
  counts.discovery_requests += 1;
  tally(counts.discovery_by_path, name);
  const fault = (faults.current?.path ?? name) === name ? faults.take() : null;
  if (fault && answers[fault.mode]) return answers[fault.mode](res, fault);
  if (fault) editJson(res, (document) => edits[fault.mode](document, plain));
  return provider(req, res);
}
