// Node.js 18, which Debian 12 ships, lacks a few functions that `oidc-provider` and `jose` use. Newer ones pass through.
import crypto from 'node:crypto';
import { register } from 'node:module';

globalThis.crypto ??= crypto.webcrypto;
globalThis.CryptoKey ??= crypto.webcrypto.CryptoKey;
URL.parse ??= (url, base) => { try { return new URL(url, base); } catch { return null; } };

// The names of a built-in module are fixed, so `crypto.hash` can only be added by putting another module in its place.
if (!crypto.hash) register('./compat-crypto-hook.mjs', import.meta.url);
