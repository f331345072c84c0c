// Where keys and certificates live. With IDP_STATE they are made once and shared by every server that names the same
// folder (making RSA keys is most of the start-up time); several may start at once, the first one to finish wins.
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as jose from 'jose';

const here = path.dirname(fileURLToPath(import.meta.url));

export const stateDir = process.env.IDP_STATE ? path.resolve(process.env.IDP_STATE) : temporary();
fs.mkdirSync(stateDir, { recursive: true });

function temporary() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'porteur-idp-'));
  process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

// A private key as JWK. Beside `NAME.jwk.json` lies `NAME.pkcs8.pem`, the form porteur reads.
export async function keyFor(name, alg) {
  const file = path.join(stateDir, `${name}.jwk.json`);
  if (!fs.existsSync(file)) {
    const jwk = await newKey(alg, `${name}-1`);
    if (publish(file, JSON.stringify(jwk))) return jwk;
  }
  return JSON.parse(fs.readFileSync(file));
}

export async function newKey(alg, kid) {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  return { ...await jose.exportJWK(privateKey), alg, use: 'sig', kid };
}

// Written from the JWK that won, so both files always hold the same key.
export function pemFor(name, jwk) {
  const pem = crypto.createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs8', format: 'pem' });
  publish(path.join(stateDir, `${name}.pkcs8.pem`), pem);
}

export const publicPart = ({ d, p, q, dp, dq, qi, ...rest }) => rest;

// A link appears whole or not at all, and never replaces a file that another server already uses.
function publish(file, content) {
  const draft = `${file}.${process.pid}`;
  fs.writeFileSync(draft, content, { mode: 0o600 });
  try {
    fs.linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    fs.unlinkSync(draft);
  }
}

// The folder of certificates. Its name follows the script that makes them, so a changed script makes new ones.
export function certificates() {
  const script = path.join(here, 'mkcerts.sh');
  const version = crypto.createHash('sha256').update(fs.readFileSync(script)).digest('hex').slice(0, 8);
  const dir = path.join(stateDir, `certs-${version}`);
  if (fs.existsSync(dir)) return dir;
  const draft = `${dir}.${process.pid}`;
  try {
    // Piped, so what openssl has to say is seen only in the error of a failure.
    execFileSync('sh', [script, draft], { stdio: ['ignore', 'ignore', 'pipe'] });
    fs.renameSync(draft, dir);
  } catch (error) {
    if (!['EEXIST', 'ENOTEMPTY'].includes(error.code)) throw error;
  } finally {
    fs.rmSync(draft, { recursive: true, force: true });
  }
  return dir;
}
