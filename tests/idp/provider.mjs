// The provider itself: keys, token store, token formats. One instance per issuer, all over the same store and keys.
import crypto from 'node:crypto';
import Provider, { errors } from 'oidc-provider';
import { keyFor, newKey } from './state.mjs';

// What a `resource` (or `audience`) parameter yields; any other value is `invalid_target`. null: an opaque token.
const RESOURCES = {
  'https://upstream.test/rs256': 'RS256',
  'https://upstream.test/ps256': 'PS256',
  'https://upstream.test/es256': 'ES256',
  'https://upstream.test/ed25519': 'Ed25519',
  'https://upstream.test/opaque': null,
};

export const lifetime = { seconds: Number(process.env.IDP_TTL ?? 30) };

// A plain Map: the adapter that comes with the library forgets all but 1,000 entries, so tokens vanish under load.
export const store = new Map();
setInterval(() => {
  for (const [key, entry] of store) if (entry.expires < Date.now()) store.delete(key);
}, 5000).unref();

class Adapter {
  constructor(kind) { this.kind = kind; }
  key(id) { return `${this.kind}:${id}`; }
  async upsert(id, payload, ttl) { store.set(this.key(id), { payload, expires: ttl ? Date.now() + ttl * 1000 : Infinity }); }
  async find(id) { const entry = store.get(this.key(id)); return entry && entry.expires > Date.now() ? entry.payload : undefined; }
  async consume(id) { const entry = store.get(this.key(id)); if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { store.delete(this.key(id)); }
  async findByUid() {}
  async findByUserCode() {}
  async revokeByGrantId() {}
}

// Signing keys, newest first. The RSA key names no algorithm because it serves RS256 and PS256.
export const signing = { generation: 1, keys: await signingKeys((alg, name) => keyFor(`sign-${name}`, alg)) };

async function signingKeys(make) {
  const [rsa, ec, ed] = await Promise.all([make('RS256', 'rs256'), make('ES256', 'es256'), make('Ed25519', 'ed25519')]);
  delete rsa.alg;
  return [rsa, ec, ed];
}

export async function rotate(keepOld) {
  const generation = signing.generation + 1;
  const fresh = await signingKeys((alg, name) => newKey(alg, `sign-${name}-${generation}`));
  Object.assign(signing, { generation, keys: keepOld ? [...fresh, ...signing.keys] : fresh });
}

// `metadata` goes into the discovery document beside what the provider writes there itself.
export function provide(issuer, clients, metadata = {}) {
  const provider = new Provider(issuer, {
    adapter: Adapter,
    clients,
    discovery: metadata,
    jwks: { keys: signing.keys },
    scopes: ['api:read', 'api:write'],
    cookies: { keys: ['unused'] },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
      'tls_client_auth', 'self_signed_tls_client_auth'],
    enabledJWA: {
      clientAuthSigningAlgValues: ['HS256', 'HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'ES384', 'Ed25519', 'EdDSA'],
      dPoPSigningAlgValues: ['ES256', 'RS256', 'Ed25519', 'EdDSA'],
    },
    ttl: { ClientCredentials: () => lifetime.seconds },
    extraTokenClaims: (_, token) => ({ roles: ['user', token.clientId], tenant: 'acme' }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      dPoP: { enabled: true, ...nonces() },
      mTLS: { enabled: true, certificateBoundAccessTokens: true, selfSignedTlsClientAuth: true, tlsClientAuth: true, ...peer },
      resourceIndicators: { enabled: true, useGrantedResource: () => true, defaultResource, getResourceServerInfo },
    },
  });
  provider.on('server_error', (_, error) => console.error('server_error', error));
  return provider.callback();
}

const nonces = () => (process.env.IDP_DPOP_NONCE === '1'
  ? { nonceSecret: crypto.createHash('sha256').update('nonce').digest(), requireNonce: () => true } : {});

// Auth0 calls the resource `audience`; here both work.
const defaultResource = (ctx) => ctx.oidc.body?.audience;

function getResourceServerInfo(_, resource) {
  if (!(resource in RESOURCES)) throw new errors.InvalidTarget('unknown resource');
  const alg = RESOURCES[resource];
  return {
    scope: 'api:read api:write', audience: resource, accessTokenTTL: lifetime.seconds,
    ...alg ? { accessTokenFormat: 'jwt', jwt: { sign: { alg } } } : { accessTokenFormat: 'opaque' },
  };
}

const sorted = (name) => name.split(/[\n,]/).map((part) => part.trim()).filter(Boolean).sort().join(',');

const peer = {
  getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
  certificateAuthorized: (ctx) => ctx.socket.authorized === true,
  certificateSubjectMatches(ctx, property, wanted) {
    const certificate = ctx.socket.getPeerX509Certificate();
    const names = (certificate.subjectAltName ?? '').split(', ');
    switch (property) {
      case 'tls_client_auth_subject_dn': return sorted(certificate.subject) === sorted(wanted);
      case 'tls_client_auth_san_dns': return names.includes(`DNS:${wanted}`);
      case 'tls_client_auth_san_uri': return names.includes(`URI:${wanted}`);
      case 'tls_client_auth_san_ip': return names.includes(`IP Address:${wanted}`);
      case 'tls_client_auth_san_email': return names.includes(`email:${wanted}`);
      default: return false;
    }
  },
};
