// Ways to misbehave at the token endpoint. `answers` replace the whole answer, `edits` change a genuine one.
import zlib from 'node:zlib';

const JSON_TYPE = { 'content-type': 'application/json' };

export function json(res, status, value, headers = {}) {
  res.writeHead(status, { ...JSON_TYPE, ...headers });
  res.end(JSON.stringify(value));
}

function plain(res, status, headers, body) {
  res.writeHead(status, headers);
  res.end(body);
}

export const answers = {
  '400': (res) => json(res, 400, { error: 'invalid_request' }),
  '400_invalid_client_html': (res) => plain(res, 400, { 'content-type': 'text/html' }, '<h1>bad</h1>'),
  '401': (res) => json(res, 401, { error: 'invalid_client', error_description: 'client authentication failed' },
    { 'www-authenticate': 'Basic realm="x"' }),
  '403': (res) => json(res, 403, { error: 'access_denied' }),
  '429': (res, fault) => json(res, 429, { error: 'slow_down' }, { 'retry-after': String(fault.retry_after ?? 2) }),
  '500': (res) => json(res, 500, { error: 'server_error' }),
  '503': (res, fault) => plain(res, 503, { 'retry-after': String(fault.retry_after ?? 1) }),
  redirect: (res, fault) => plain(res, 307, { location: fault.to }),
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
  // One byte every `step_ms`.
  slowbody(res, fault) {
    const text = JSON.stringify({ access_token: 'slow', token_type: 'Bearer', expires_in: 30 });
    let sent = 0;
    const timer = setInterval(() => {
      if (sent < text.length) return void res.write(text[sent++]);
      clearInterval(timer);
      res.end();
    }, fault.step_ms ?? 200);
    res.on('close', () => clearInterval(timer));
    res.writeHead(200, { ...JSON_TYPE, 'content-length': text.length });
  },
};

export const edits = {
  no_expires_in: (token) => { delete token.expires_in; },
  string_expires_in: (token) => { token.expires_in = String(token.expires_in); },
  float_expires_in: (token) => { token.expires_in += 0.5; },
  zero_expires_in: (token) => { token.expires_in = 0; },
  negative_expires_in: (token) => { token.expires_in = -1; },
  huge_expires_in: (token) => { token.expires_in = 1e18; },
  lower_type: (token) => { token.token_type = 'bearer'; },
  no_type: (token) => { delete token.token_type; },
  mac_type: (token) => { token.token_type = 'mac'; },
  crlf: (token) => { token.access_token += '\r\nX-Injected: 1'; },
  nul: (token) => { token.access_token += '\u0000'; },
  nonascii: (token) => { token.access_token += 'é'; },
  bigtoken: (token, fault) => { token.access_token = 'A'.repeat(fault.size ?? 16384); },
  empty_token: (token) => { token.access_token = ''; },
  no_token: (token) => { delete token.access_token; },
  null_token: (token) => { token.access_token = null; },
  error200: (token) => { delete token.access_token; token.error = 'invalid_client'; },
  extra: (token) => { token.foo = { deep: [1, 2] }; token.refresh_token = 'SHOULD-BE-IGNORED'; },
};

// `delay` is a genuine answer after `delay_ms`, `hold` a genuine one once POST /__admin/release lets it go.
const others = ['delay', 'hold', 'gzip'];

export const known = (mode) => mode in answers || mode in edits || others.includes(mode);

// Calls `issued` with each genuine token on its way out, changed by the fault if there is one.
export function editAnswer(res, fault, issued) {
  const end = res.end;
  res.end = (chunk, ...rest) => {
    let out = chunk;
    if (res.statusCode === 200 && chunk) {
      const token = JSON.parse(chunk.toString());
      edits[fault?.mode]?.(token, fault);
      if (typeof token.access_token === 'string') issued(token.access_token);
      out = Buffer.from(JSON.stringify(token));
      if (fault?.mode === 'gzip') {
        out = zlib.gzipSync(out);
        res.setHeader('content-encoding', 'gzip');
      }
      res.setHeader('content-length', out.length);
    }
    return end.call(res, out, ...rest);
  };
}
