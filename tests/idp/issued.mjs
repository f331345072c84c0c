// The tokens that have left the house: what they say, which are still good, and the ones that the fault `sticky` repeats.
import crypto from 'node:crypto';
import * as jose from 'jose';
import { signing, store } from './provider.mjs';
import { publicPart } from './state.mjs';

const issued = new Set();
const repeated = new Map();

const digest = (token) => crypto.createHash('sha256').update(token).digest('hex');
const isSigned = (token) => token.split('.').length === 3;

export const issue = (token) => { issued.add(digest(token)); };
export const forgetRepeated = () => repeated.clear();

export function revokeAll() {
  issued.clear();
  forgetRepeated();
}

// The claims of a token that is good now; else an error that says why it is not.
export async function validate(token) {
  if (!issued.has(digest(token))) throw new Error('revoked, or not ours');
  if (isSigned(token)) await jose.jwtVerify(token, jose.createLocalJWKSet({ keys: signing.keys.map(publicPart) }));
  return claimsOf(token);
}

function claimsOf(token) {
  const claims = isSigned(token) ? jose.decodeJwt(token) : stored(token);
  if (claims.exp <= Date.now() / 1000) throw new Error('expired');
  return claims;
}

function isAlive(token) {
  try { return Boolean(claimsOf(token)); } catch { return false; }
}

function stored(token) {
  const { payload } = store.get(`ClientCredentials:${token}`);
  return { client_id: payload.clientId, scope: payload.scope, aud: payload.aud, exp: payload.exp, cnf: confirmation(payload) };
}

function confirmation(payload) {
  if (payload['x5t#S256']) return { 'x5t#S256': payload['x5t#S256'] };
  return payload.jkt ? { jkt: payload.jkt } : undefined;
}

// Puts the token that was issued first for the same purpose in the place of a new one, for as long as it lives. The purpose
// is read from the new one: a request can say the same thing in many ways, and a signed one never says it twice alike.
export function repeat(answer) {
  const { client_id, scope, aud, cnf } = claimsOf(answer.access_token);
  const purpose = JSON.stringify([client_id, scope, aud, cnf]);
  const first = repeated.get(purpose);
  if (!isAlive(first)) return void repeated.set(purpose, answer.access_token);
  Object.assign(answer, { access_token: first, expires_in: Math.floor(claimsOf(first).exp - Date.now() / 1000) });
}
