// The authorization server of porteur's tests: the certified `oidc-provider` behind a door that counts, records and, when
// told to, misbehaves; beside it a resource server that accepts only tokens from here. Loopback only, nothing is kept.
//
//   node server.mjs      prints one JSON line with the addresses when ready; ends on SIGTERM, SIGINT or when stdin closes
//
//   IDP_TTL=30           lifetime of a token in seconds (POST /__admin/ttl changes it)
//   IDP_TLS=1            also listen with TLS and make certificates (needs the openssl command)
//   IDP_STATE=DIR        keep client keys and certificates there and use them again; without it, a temporary folder
//   IDP_PORT IDP_TLS_PORT IDP_MTLS_PORT RS_PORT RS_TLS_PORT   fixed ports; default 0, the system chooses
//   IDP_DPOP_NONCE=1     demand server nonces in DPoP proofs
//   RS_DPOP_NONCE=1      the same at the resource server (POST /__admin/resource-nonce makes a new one, or the first)
//   IDP_STRICT_MTLS=1    refuse a TLS client without a certificate of the test CA
//   IDP_MANY=N           N more clients `many-0` … with secrets `many-secret-0-0000000000000000000000` …
//
// With TLS there are three doors: two issuers, with and without TLS, and for the one with TLS a token endpoint of its own
// (`mtls_endpoint_aliases` in its metadata) where the handshake fails without a client certificate.
//
// Control, on the plain listener:
//
//   GET  /__admin/stats|last|clients
//   POST /__admin/fault      {"mode", "count", …}    token endpoint; the modes and what they take are in `faults.mjs`
//   POST /__admin/discovery  {"mode", "count", "path": "oauth-authorization-server"|"openid-configuration"}   metadata; the
//                            modes are in `discovery.mjs`, and without a path both documents are wrong
//   POST /__admin/resource   {"status", "count", "www_authenticate"}   answers of the resource server, whatever the token
//   POST /__admin/ttl        {"ttl": seconds}        lifetime of the tokens issued from now on
//   POST /__admin/rotate     {"keep_old": true}      new signing keys
//   POST /__admin/revoke-all|resource-nonce|release|reset
//
// An order holds for `count` requests, or for all; {} ends it.
import './compat.mjs';

// Whoever started us holds our stdin: when it goes away, however it ended, so do we. Watched before anything slow begins.
process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));

// Imported late: Node.js 18 needs what `compat.mjs` prepares before it reads these.
const { start } = await import('./listeners.mjs');
console.log(JSON.stringify(await start()));
