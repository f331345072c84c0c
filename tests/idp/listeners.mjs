// Sockets first, providers after: an issuer is a URL and cannot be known before the system has chosen its port.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { allClients } from './clients.mjs';
import { admin, counts, tokenRequest } from './door.mjs';
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
  const world = { clients: await allClients(certs), build() {} };
  const plain = await open(world, 'http', (serve) => http.createServer(patience, serve), env.IDP_PORT, env.RS_PORT);
  const tls = certs && await open(world, 'https', (serve) => https.createServer(tlsOptions(certs), serve), env.IDP_TLS_PORT, env.RS_TLS_PORT);
  world.build();
  return { ...plain, tls, certificates: certs, state: stateDir, pid: process.pid };
}

async function open(world, scheme, server, port, resourcePort) {
  let provider;
  const door = server((req, res) => {
    // The connection may go away at any point; that is the client's business.
    Promise.resolve(route(req, res, provider, world)).catch(() => res.destroy());
  });
  door.on('connection', () => { counts.connections += 1; });
  const issuer = `${scheme}://${await listen(door, port)}`;
  const before = world.build;
  world.build = () => { before(); provider = provide(issuer, world.clients); };
  return { issuer, token_url: `${issuer}/token`, resource_server: await listen(server(resource), resourcePort) };
}

function route(req, res, provider, world) {
  // With TLS there is no control: a test that checks certificates should not need one to ask for numbers.
  if (req.url.startsWith('/__admin/') && !req.socket.encrypted) return admin(req, res, world);
  if (/^\/token(\?|$)/.test(req.url)) return tokenRequest(req, res, provider);
  return provider(req, res);
}

function tlsOptions(certs) {
  const read = (name) => fs.readFileSync(path.join(certs, name));
  return {
    ...patience, key: read('server.key'), cert: read('server.pem'), ca: read('ca.pem'), minVersion: 'TLSv1.2',
    requestCert: true, rejectUnauthorized: env.IDP_STRICT_MTLS === '1',
  };
}
