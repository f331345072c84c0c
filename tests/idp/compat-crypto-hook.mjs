// Loader hook for Node.js 18: inside node_modules, `node:crypto` means `compat-crypto.mjs`.
const substitute = new URL('./compat-crypto.mjs', import.meta.url).href;

export async function resolve(specifier, context, next) {
  const wanted = /^(node:)?crypto$/.test(specifier) && context.parentURL?.includes('/node_modules/');
  return wanted ? { url: substitute, format: 'module', shortCircuit: true } : next(specifier, context);
}
