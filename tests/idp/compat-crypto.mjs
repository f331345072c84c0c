// `node:crypto` with the one-shot `hash` of newer Node.js versions.
import crypto from 'node:crypto';

export * from 'node:crypto';
export { default } from 'node:crypto';

export function hash(algorithm, data, encoding = 'hex') {
  const digest = crypto.createHash(algorithm).update(data);
  return encoding === 'buffer' ? digest.digest() : digest.digest(encoding);
}
