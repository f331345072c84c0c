// What stands in front of the token endpoint: counts and records the requests, and misbehaves on demand.
import { counts, forgetCounts, tally } from './counts.mjs';
import { answers, editAnswer, known } from './faults.mjs';
import { forgetRepeated } from './issued.mjs';
import { readBody } from './messages.mjs';
import { Order } from './orders.mjs';

const REMEMBERED = 1000;

const faults = new Order();
let last = [];
let held = [];

export async function tokenRequest(req, res, provider, door) {
  counts.token_requests += 1;
  counts.in_flight += 1;
  counts.max_in_flight = Math.max(counts.max_in_flight, counts.in_flight);
  const record = {
    door, certificate: subject(req), method: req.method, url: req.url, version: req.httpVersion, headers: { ...req.headers },
    raw_headers: req.rawHeaders, body: '', status: null,
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
  const fault = faults.take();
  if (fault?.delay_ms) await new Promise((go) => setTimeout(go, fault.delay_ms));
  if (fault?.mode === 'hold') await new Promise((go) => held.push(go));
  if (fault && answers[fault.mode]) return answers[fault.mode](res, fault);
  editAnswer(res, fault);
  provider(req, res);
}

// Of the certificate that the client showed on this connection.
const subject = (req) => req.socket.getPeerX509Certificate?.()?.subject.replaceAll('\n', ',') ?? null;

export const tokenState = () => ({ held: held.length, fault: faults.current });
export const lastRequests = () => last;

export function setFault(order) {
  if (order.mode && !known(order.mode)) return `no such fault: ${order.mode}`;
  faults.set(order, order.mode);
  forgetRepeated();
}

export function release() {
  setFault({});
  for (const go of held.splice(0)) go();
}

export function forget() {
  release();
  forgetCounts();
  last = [];
}
