// HTTP messages in one call: a body read whole, an answer written whole.
export const JSON_TYPE = { 'content-type': 'application/json' };

export async function readBody(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts).toString();
}

export function json(res, status, value, headers = {}) {
  plain(res, status, { ...JSON_TYPE, ...headers }, JSON.stringify(value));
}

export function plain(res, status, headers, body) {
  res.writeHead(status, headers);
  res.end(body);
}
