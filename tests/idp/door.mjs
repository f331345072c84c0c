// What stands in front of the provider: counts and records token requests, misbehaves on demand, and takes the orders of
// the tests under /__admin/. Everything but /token and /__admin/ goes straight to the provider.
import crypto from 'node:crypto';
import { answers, editAnswer, json, known } from './faults.mjs';
import { lifetime, rotate, signing } from './provider.mjs';

const REMEMBERED = 1000;

const zero = () => ({ token_requests: 0, in_flight: 0, max_in_flight: 0, by_status: {}, connections: 0, resource_requests: 0, resource_by_status: {} });

export const counts = zero();
const issued = new Set();
let last = [];
let fault = null;
let held = [];

const digest = (token) => crypto.createHash('sha256').update(token).digest('hex');
export const isIssued = (token) => issued.has(digest(token));
export const tally = (table, key) => { table[key] = (table[key] ?? 0) + 1; };

export async function readBody(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts).toString();
}

export async function tokenRequest(req, res, provider) {
  counts.token_requests += 1;
  counts.in_flight += 1;
  counts.max_in_flight = Math.max(counts.max_in_flight, counts.in_flight);
  const record = {
    method: req.method, url: req.url, version: req.httpVersion, headers: { ...req.headers }, raw_headers: req.rawHeaders,
    body: '', status: null,
  };
  last.push(record);
  if (last.length > REMEMBERED) last.shift();
  res.on('close', () => {
    counts.in_flight -= 1;
    if (!res.headersSent) return; // given up, reset or hung: there was no status
    tally(counts.by_status, res.statusCode);
    record.status = res.statusCode;
  });
  // A string, not an object: the provider then parses it itself, so repeated parameters stay repeated.
  record.body = req.body = await readBody(req);
  const active = takeFault();
  if (active?.delay_ms) await new Promise((go) => setTimeout(go, active.delay_ms));
  if (active?.mode === 'hold') await new Promise((go) => held.push(go));
  if (active && answers[active.mode]) return answers[active.mode](res, active);
  editAnswer(res, active, (token) => issued.add(digest(token)));
  provider(req, res);
}

function takeFault() {
  if (!fault || fault.count <= 0) return null;
  fault.count -= 1;
  return fault;
}

function setFault(order) {
  if (order.mode && !known(order.mode)) return `no such fault: ${order.mode}`;
  fault = order.mode ? { ...order, count: order.count ?? Infinity } : null;
}

function release() {
  fault = null;
  for (const go of held.splice(0)) go();
}

function reset() {
  release();
  Object.assign(counts, zero(), { in_flight: counts.in_flight });
  last = [];
}

// `world` knows the clients and how to build the providers again, which new signing keys need.
export async function admin(req, res, world) {
  const what = req.url.slice('/__admin/'.length);
  const order = req.method === 'POST' ? JSON.parse(await readBody(req) || '{}') : {};
  let refusal;
  switch (`${req.method} ${what}`) {
    case 'GET stats':
      return json(res, 200, { ...counts, held: held.length, ttl: lifetime.seconds, generation: signing.generation, fault });
    case 'GET last': return json(res, 200, last);
    case 'GET clients':
      return json(res, 200, world.clients.map((c) => [c.client_id, c.token_endpoint_auth_method, c.client_secret]));
    case 'POST fault': refusal = setFault(order); break;
    case 'POST release': release(); break;
    case 'POST reset': reset(); break;
    case 'POST ttl': lifetime.seconds = order.ttl; break;
    // From now on the resource server answers 401 to every token issued so far.
    case 'POST revoke-all': issued.clear(); break;
    case 'POST rotate': await rotate(order.keep_old); world.build(); break;
    default: refusal = `no such control: ${what}`;
  }
  json(res, refusal ? 400 : 200, refusal ? { error: refusal } : { ok: true });
}
