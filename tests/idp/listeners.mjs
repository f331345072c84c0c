// Sockets first, providers after: an issuer is a URL and cannot be known before the system has chosen its port.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { admin } from './admin.mjs';
import { allClients } from './clients.mjs';
import { counts } from './counts.mjs';
import { discovery, discoveryName } from './discovery.mjs';
import { tokenRequest } from './door.mjs';
import { provide } from './provider.mjs';
import { resource } from './resource.mjs';
import { certificates, stateDir } from './state.mjs';

const { env } = process;
const HOST = '127.0.0.1';

// Node.js closes idle connections after 5 s; a test should not depend on hitting or missing that moment.
const patience = { keepAliveTimeout: 600_000 };

const listen = (server, port) => new Promise((ready, failed) => {
  server.once('error', failed).listen(Number(port ?? 0), HOST, () => ready(`${HOST}:${server.address().port}`));
});

export async function start() {
  const certs = env.IDP_TLS === '1' ? certificates() : null;
  const world = { clients: await allClients(certs), issuers: [], build };
  const plain = await open(world, 'http', (serve) => http.createServer(patience, serve), env.IDP_PORT, env.RS_PORT);
  world.plain = plain.token_url;
  const tls = certs && await openTls(world, (serve) => https.createServer(tlsOptions(certs), serve));
  world.build();
  return { ...plain, tls, certificates: certs, state: stateDir, pid: process.pid };
}

function build() {
  for (const issuer of this.issuers) issuer.provider = provide(issuer.url, this.clients, issuer.metadata);
}

async function open(world, scheme, server, port, resourcePort, issuer = {}) {
  world.issuers.push(issuer);
  issuer.url = `${scheme}://${await listen(enter(world, issuer, scheme, server), port)}`;
  return { issuer: issuer.url, token_url: `${issuer.url}/token`, resource_server: await listen(server(resource), resourcePort) };
}

// RFC 8705 §5: the same issuer has another door for clients with a certificate, and its metadata says where.
async function openTls(world, server) {
  const issuer = {};
  const alias = enter(world, issuer, 'mtls', server).on('secureConnection', (socket) => {
    // Not left to Node.js, which would also turn away certificates that only the provider can judge: self-signed ones.
    if (!socket.getPeerX509Certificate()) socket.destroy();
  });
  const mtls_token_url = `https://${await listen(alias, env.IDP_MTLS_PORT)}/token`;
  issuer.metadata = { mtls_endpoint_aliases: { token_endpoint: mtls_token_url } };
  return { ...await open(world, 'https', server, env.IDP_TLS_PORT, env.RS_TLS_PORT, issuer), mtls_token_url };
}

function enter(world, issuer, door, server) {
  const listener = server((req, res) => {
    // The connection may go away at any point; that is the client's business.
    Promise.resolve(route(req, res, world, issuer.provider, door)).catch(() => res.destroy());
  });
  return listener.on('connection', () => { counts.connections += 1; });
}

function route(req, res, world, provider, door) {
  // With TLS there is no control: a test that checks certificates should not need one to ask for numbers.
  if (req.url.startsWith('/__admin/') && door === 'http') return admin(req, res, world);
  const document = discoveryName(req.url);
  if (document) return discovery(req, res, document, provider, world.plain);
  if (/^\/token(\?|$)/.test(req.url)) return tokenRequest(req, res, provider, door);
  if (/^\/token\/revocation(\?|$)/.test(req.url)) counts.revocations += 1;
  return provider(req, res);
}

function tlsOptions(certs) {
  const read = (name) => fs.readFileSync(path.join(certs, name));
  return {
    ...patience, key: read('server.key'), cert: read('server.pem'), ca: read('ca.pem'), minVersion: 'TLSv1.2',
    requestCert: true, rejectUnauthorized: env.IDP_STRICT_MTLS === '1',
  };
}
