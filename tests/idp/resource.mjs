// The protected API: answers an echo to a request that carries a token of ours, else 401 as RFC 6750 says. /open needs none.
import crypto from 'node:crypto';
import * as jose from 'jose';
import { counts, isIssued, readBody, tally } from './door.mjs';
import { json } from './faults.mjs';
import { signing, store } from './provider.mjs';
import { publicPart } from './state.mjs';

const thumbprint = (bytes) => crypto.createHash('sha256').update(bytes).digest('base64url');

export async function resource(req, res) {
  counts.resource_requests += 1;
  res.on('close', () => tally(counts.resource_by_status, res.statusCode));
  const body = await readBody(req).catch(() => '');
  const echo = { method: req.method, url: req.url, headers: req.headers, raw_headers: req.rawHeaders, body };
  if (req.url.startsWith('/open')) return json(res, 200, echo);
  const [, scheme, token] = /^(Bearer|DPoP) (\S+)$/i.exec(req.headers.authorization ?? '') ?? [];
  if (!token) return refuse(res);
  try {
    const claims = await validate(token);
    checkCertificate(claims, req);
    await checkProof(claims, scheme, token, req);
    json(res, 200, { ...echo, claims });
  } catch {
    refuse(res, 'invalid_token');
  }
}

function refuse(res, error) {
  const reason = error ? `, error="${error}"` : '';
  json(res, 401, { error }, { 'www-authenticate': `Bearer realm="resource"${reason}` });
}

async function validate(token) {
  if (!isIssued(token)) throw new Error('revoked, or not ours');
  if (token.split('.').length === 3) {
    const keys = jose.createLocalJWKSet({ keys: signing.keys.map(publicPart) });
    return (await jose.jwtVerify(token, keys)).payload;
  }
  const { payload } = store.get(`ClientCredentials:${token}`);
  if (payload.exp < Date.now() / 1000) throw new Error('expired');
  return { client_id: payload.clientId, scope: payload.scope, exp: payload.exp, cnf: confirmation(payload) };
}

function confirmation(payload) {
  if (payload['x5t#S256']) return { 'x5t#S256': payload['x5t#S256'] };
  return payload.jkt ? { jkt: payload.jkt } : undefined;
}

// RFC 8705 §3: the token works only over a connection with the certificate it was issued to.
function checkCertificate(claims, req) {
  const wanted = claims.cnf?.['x5t#S256'];
  if (wanted && thumbprint(req.socket.getPeerX509Certificate().raw) !== wanted) throw new Error('other certificate');
}

// RFC 9449 §7
async function checkProof(claims, scheme, token, req) {
  const wanted = claims.cnf?.jkt;
  if (!wanted) return;
  const options = { typ: 'dpop+jwt', maxTokenAge: 60 };
  const { payload, protectedHeader } = await jose.jwtVerify(req.headers.dpop, jose.EmbeddedJWK, options);
  const fits = await jose.calculateJwkThumbprint(protectedHeader.jwk) === wanted && payload.htm === req.method
    && payload.ath === thumbprint(token) && scheme.toLowerCase() === 'dpop';
  if (!fits) throw new Error('wrong proof');
}
