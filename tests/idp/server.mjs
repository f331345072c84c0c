// The authorization server of porteur's tests: the certified `oidc-provider` behind a door that counts, records and, when
// told to, misbehaves; beside it a resource server that accepts only tokens from here. Loopback only, nothing is kept.
//
//   node server.mjs      prints one JSON line with the addresses when ready; ends on SIGTERM, SIGINT or when stdin closes
//
//   IDP_TTL=30           lifetime of a token in seconds (POST /__admin/ttl changes it)
//   IDP_TLS=1            also listen with TLS and make certificates (needs the openssl command)
//   IDP_STATE=DIR        keep client keys and certificates there and use them again; without it, a temporary folder
//   IDP_PORT IDP_TLS_PORT RS_PORT RS_TLS_PORT   fixed ports; default 0, the system chooses
//   IDP_DPOP_NONCE=1     demand server nonces in DPoP proofs
//   IDP_STRICT_MTLS=1    refuse a TLS client without a certificate of the test CA
//   IDP_MANY=N           N more clients `many-0` … with secrets `many-secret-0-0000000000000000000000` …
//
// Control, on the plain listener: GET /__admin/stats|last|clients, POST /__admin/fault|release|reset|rotate|revoke-all|ttl
import './compat.mjs';

// Whoever started us holds our stdin: when it goes away, however it ended, so do we. Watched before anything slow begins.
process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));

// Imported late: Node.js 18 needs what `compat.mjs` prepares before it reads these.
const { start } = await import('./listeners.mjs');
console.log(JSON.stringify(await start()));
