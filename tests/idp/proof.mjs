// DPoP at the resource server: RFC 9449 §4.3 without leniency, so that what a tolerant API lets pass is seen here.
import crypto from 'node:crypto';
import * as jose from 'jose';

// How old a proof may be. A `jti` is remembered for one to two such times.
const FRESH = 60;

export const thumbprint = (bytes) => crypto.createHash('sha256').update(bytes).digest('base64url');

let seen = [new Set(), new Set()];
setInterval(() => { seen = [new Set(), seen[0]]; }, FRESH * 1000).unref();

let nonce = null;

// From now on proofs need this nonce (RFC 9449 §9), and no older one will do.
export function newNonce() {
  nonce = crypto.randomBytes(16).toString('base64url');
}

if (process.env.RS_DPOP_NONCE === '1') newNonce();

export const currentNonce = () => nonce;
export const nonceHeader = () => (nonce ? { 'dpop-nonce': nonce } : {});

// `error` as RFC 9449 §7.1 and §9 name it.
export class Refused extends Error {
  constructor(error) {
    super(error);
    this.error = error;
  }
}

// The claims of a proof that fits the request and the token, whoever's key has signed it.
async function verified(token, req) {
  try {
    const proof = await jose.jwtVerify(req.headers.dpop, jose.EmbeddedJWK, { typ: 'dpop+jwt', maxTokenAge: FRESH });
    const { htm, htu, ath, jti } = proof.payload;
    const fits = htm === req.method && ath === thumbprint(token) && isTarget(htu, req) && typeof jti === 'string' && jti;
    if (!fits || seen.some((jtis) => jtis.has(jti))) throw new Error('wrong, or a replay');
    seen[0].add(jti);
    return proof;
  } catch {
    throw new Refused('invalid_dpop_proof');
  }
}

export async function checkProof(claims, scheme, token, req) {
  const wanted = claims.cnf?.jkt;
  const isDpop = scheme.toLowerCase() === 'dpop';
  // RFC 9449 §7.2: neither a bound token as a bearer token, nor the other way round.
  if (Boolean(wanted) !== isDpop) throw new Refused('invalid_token');
  if (!isDpop) return;
  const { payload, protectedHeader } = await verified(token, req);
  if (await jose.calculateJwkThumbprint(protectedHeader.jwk) !== wanted) throw new Refused('invalid_token');
  if (nonce && payload.nonce !== nonce) throw new Refused('use_dpop_nonce');
}

// §4.2: the target URI of the request without query and fragment, compared as §4.3 says, in its normal form.
function isTarget(htu, req) {
  const scheme = req.socket.encrypted ? 'https' : 'http';
  const [path] = req.url.split('?');
  return !/[?#]/.test(htu) && new URL(htu).href === new URL(`${scheme}://${req.headers.host}${path}`).href;
}
