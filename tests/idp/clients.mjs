// Who may ask for a token: at least one client for every way to authenticate at the token endpoint.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { keyFor, pemFor, publicPart } from './state.mjs';

const grant = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'api:read api:write' };
const client = (client_id, token_endpoint_auth_method, rest) => ({ client_id, token_endpoint_auth_method, ...grant, ...rest });
const basic = (id, client_secret, rest) => client(id, 'client_secret_basic', { client_secret, ...rest });
// RFC 7518 §3.2: the secret is no shorter than the hash.
const signed = (id, token_endpoint_auth_signing_alg, client_secret) =>
  client(id, 'client_secret_jwt', { client_secret, token_endpoint_auth_signing_alg });
const post = (id, client_secret) => client(id, 'client_secret_post', { client_secret });

// On purpose: RFC 6749 §2.3.1 form-encodes id and secret before base64, and only such characters show whether it was done.
const special = 'p@ss:w%rd +&=/?#"{}~-long-enough-secret';

const withSecret = [
  basic('basic', 'basic-secret-000000000000000000000000'),
  basic('ro', 'ro-secret-000000000000000000000000000', { scope: 'api:read' }),
  basic('rs', 'rs-secret-00000000000000000000000000000'),
  basic('dpop', 'dpop-secret-0000000000000000000000000', { dpop_bound_access_tokens: true }),
  basic('svc:special client+1', special),
  basic('my app', 's3cr:t/+=@'), // no é: the provider takes visible ASCII only (RFC 6749 appendix A)
  post('post', 'post-secret-0000000000000000000000000'),
  post('post-special', special),
  signed('cs-jwt', 'HS256', 'cs-jwt-secret-0000000000000000000000000'),
  signed('cs-jwt-384', 'HS384', 'cs-jwt-384-secret-000000000000000000000000000000000000'),
  signed('cs-jwt-512', 'HS512', 'cs-jwt-512-secret-0000000000000000000000000000000000000000000000000'),
];

const many = Array.from({ length: Number(process.env.IDP_MANY ?? 0) },
  (_, i) => basic(`many-${i}`, `many-secret-${i}-0000000000000000000000`));

async function withPrivateKey() {
  // EdDSA is what Ed25519 was called before RFC 9864.
  return Promise.all(['RS256', 'PS256', 'ES256', 'ES384', 'Ed25519', 'EdDSA'].map(async (alg) => {
    const name = `pk-${alg.toLowerCase()}`;
    const jwk = await keyFor(name, alg);
    pemFor(name, jwk);
    return client(name, 'private_key_jwt', { token_endpoint_auth_signing_alg: alg, jwks: { keys: [publicPart(jwk)] } });
  }));
}

function withCertificate(certs) {
  const bound = { tls_client_certificate_bound_access_tokens: true };
  return [
    client('mtls-dn', 'tls_client_auth', { tls_client_auth_subject_dn: 'CN=edge-proxy,O=Edge,C=SE', ...bound }),
    client('mtls-dns', 'tls_client_auth', { tls_client_auth_san_dns: 'edge-proxy.test' }),
    client('mtls-uri', 'tls_client_auth', { tls_client_auth_san_uri: 'spiffe://test/edge' }),
    client('mtls-self', 'self_signed_tls_client_auth', { jwks: { keys: [selfSigned(certs)] }, ...bound }),
  ];
}

function selfSigned(certs) {
  const certificate = new crypto.X509Certificate(fs.readFileSync(path.join(certs, 'selfsigned.pem')));
  return {
    ...certificate.publicKey.export({ format: 'jwk' }), use: 'sig', x5c: [certificate.raw.toString('base64')],
    'x5t#S256': crypto.createHash('sha256').update(certificate.raw).digest('base64url'),
  };
}

export async function allClients(certs) {
  return [...withSecret, ...many, ...await withPrivateKey(), ...certs ? withCertificate(certs) : []];
}
