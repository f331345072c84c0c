// Ways to misbehave at the token endpoint. `answers` replace the whole answer, `edits` change a genuine one.
import zlib from 'node:zlib';
import { issue, repeat } from './issued.mjs';
import { JSON_TYPE, json, plain } from './messages.mjs';

// RFC 6749 §5.2 and RFC 8707 §2
const refusal = (error) => (res) => json(res, 400, { error });

export const answers = {
  '204': (res) => plain(res, 204, {}),
  '400': refusal('invalid_request'),
  '400_invalid_scope': refusal('invalid_scope'),
  '400_invalid_target': refusal('invalid_target'),
  '400_unauthorized_client': refusal('unauthorized_client'),
  '400_invalid_client_html': (res) => plain(res, 400, { 'content-type': 'text/html' }, '<h1>bad</h1>'),
  '401': (res) => json(res, 401, { error: 'invalid_client', error_description: 'client authentication failed' },
    { 'www-authenticate': 'Basic realm="x"' }),
  '403': (res) => json(res, 403, { error: 'access_denied' }),
  '404': (res) => plain(res, 404, { 'content-type': 'text/html' }, '<h1>not here</h1>'),
  // `retry_after` is a number of seconds, or a string that is sent as it is: a date, for instance.
  '429': (res, fault) => json(res, 429, { error: 'slow_down' }, { 'retry-after': String(fault.retry_after ?? 2) }),
  '500': (res) => json(res, 500, { error: 'server_error' }),
  '502': (res) => plain(res, 502, { 'content-type': 'text/html' }, '<h1>bad gateway</h1>'),
  '503': (res, fault) => plain(res, 503, { 'retry-after': String(fault.retry_after ?? 1) }),
  redirect: (res, fault) => plain(res, 307, { location: fault.to ?? '/elsewhere' }),
  reset: (res) => res.socket.resetAndDestroy(),
  hang: () => {},
  html200: (res) => plain(res, 200, { 'content-type': 'text/html' }, '<html>login</html>'),
  empty: (res) => plain(res, 200, JSON_TYPE),
  notjson: (res) => plain(res, 200, JSON_TYPE, '{"access_token":'),
  truncated(res) {
    res.writeHead(200, { ...JSON_TYPE, 'content-length': '500' });
    res.write('{"access_token":"abc', () => res.socket?.destroy());
  },
  // 256 MiB of token, as fast as the reader takes it.
  huge(res) {
    const block = 'A'.repeat(65536);
    let left = 4096;
    const more = () => {
      while (left-- > 0) if (!res.write(block)) return void res.once('drain', more);
      res.end('"}');
    };
    res.on('error', () => {});
    res.writeHead(200, JSON_TYPE);
    res.write('{"access_token":"');
    more();
  },
  slowbody(res, fault) {
    res.writeHead(200, { ...JSON_TYPE, 'content-length': SLOW.length });
    drip(res, SLOW, fault, () => res.end());
  },
  // Past Node.js, which writes a head in one piece. The status is never counted.
  drip_head(res, fault) {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${SLOW.length}\r\n\r\n`;
    drip(res.socket, head + SLOW, fault, () => res.socket.end());
  },
};

const SLOW = JSON.stringify({ access_token: 'slow', token_type: 'Bearer', expires_in: 30 });

// One byte every `step_ms`.
function drip(to, text, fault, done) {
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < text.length) return void to.write(text[sent++]);
    clearInterval(timer);
    done();
  }, fault.step_ms ?? 200);
  to.on('close', () => clearInterval(timer));
}

export const edits = {
  no_expires_in: (token) => { delete token.expires_in; },
  string_expires_in: (token) => { token.expires_in = String(token.expires_in); },
  float_expires_in: (token) => { token.expires_in += 0.5; },
  zero_expires_in: (token) => { token.expires_in = 0; },
  negative_expires_in: (token) => { token.expires_in = -1; },
  huge_expires_in: (token) => { token.expires_in = 1e18; },
  lower_type: (token) => { token.token_type = 'bearer'; },
  no_type: (token) => { delete token.token_type; },
  // What a server that knows nothing of DPoP answers.
  dpop_as_bearer: (token) => { token.token_type = 'Bearer'; },
  mac_type: (token) => { token.token_type = 'mac'; },
  crlf: (token) => { token.access_token += '\r\nX-Injected: 1'; },
  nul: (token) => { token.access_token += '\u0000'; },
  nonascii: (token) => { token.access_token += 'é'; },
  bigtoken: (token, fault) => { token.access_token = 'A'.repeat(fault.size ?? 16384); },
  empty_token: (token) => { token.access_token = ''; },
  no_token: (token) => { delete token.access_token; },
  null_token: (token) => { token.access_token = null; },
  error200: (token) => { delete token.access_token; token.error = 'invalid_client'; },
  refresh_in: (token, fault) => { token.refresh_in = fault.seconds; },
  // Like a server that caches: the same token again and again, `expires_in` counting down, until the token is dead.
  sticky: repeat,
  extra: (token) => { token.foo = { deep: [1, 2] }; token.refresh_token = 'SHOULD-BE-IGNORED'; },
};

// `delay` is a genuine answer after `delay_ms`, `hold` a genuine one once POST /__admin/release lets it go.
const others = ['delay', 'hold', 'gzip'];

export const known = (mode) => mode in answers || mode in edits || others.includes(mode);

// Each genuine token is noted on its way out, as the fault, if there is one, has changed it.
export function editAnswer(res, fault) {
  editJson(res, (token) => {
    edits[fault?.mode]?.(token, fault);
    if (typeof token.access_token === 'string') issue(token.access_token);
  }, fault?.mode === 'gzip');
}

// Changes the JSON of a 200 that somebody else writes.
export function editJson(res, change, zipped = false) {
  const end = res.end;
  res.end = (chunk, ...rest) => {
    let out = chunk;
    if (res.statusCode === 200 && chunk) {
      const value = JSON.parse(chunk.toString());
      change(value);
      out = Buffer.from(JSON.stringify(value));
      if (zipped) {
        out = zlib.gzipSync(out);
        res.setHeader('content-encoding', 'gzip');
      }
      res.setHeader('content-length', out.length);
    }
    return end.call(res, out, ...rest);
  };
}
