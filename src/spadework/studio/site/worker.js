// Keeps the site: it opens with the network off, and its pages may have threads, whatever headers the host sends.
// VERSION and FILES are written above when the site is made.

const CORE = `spadework-${VERSION}`;
const PARTS = "spadework-parts";  // whose names change with their content, so that a new version fetches only what is new
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

addEventListener("install", (event) => event.waitUntil(begin()));
addEventListener("activate", (event) => event.waitUntil(tidy()));
addEventListener("message", (event) => { if (event.data === "rest") event.waitUntil(rest()); });
addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method === "GET" && url.href.startsWith(registration.scope)) event.respondWith(answer(url, event.request));
});

async function begin() {
  const cache = await caches.open(CORE);
  await cache.addAll(FILES.core.map((name) => new Request(name, { cache: "no-cache" })));
  await skipWaiting();
}

async function tidy() {
  for (const name of await caches.keys()) {
    if (name.startsWith("spadework-") && name !== CORE && name !== PARTS) await caches.delete(name);
  }
  const known = new Set(FILES.rest.map((name) => new URL(name, registration.scope).href));
  const parts = await caches.open(PARTS);
  for (const { url } of await parts.keys()) if (!known.has(url)) await parts.delete(url);
  await clients.claim();
}

async function rest() {
  const parts = await caches.open(PARTS);
  for (const name of FILES.rest) if (!(await parts.match(name))) await parts.add(name);
}

async function answer(url, request) {
  const bare = new URL(url.pathname.endsWith("/") ? "index.html" : "", url.href);
  bare.search = bare.hash = "";
  const found = (await (await caches.open(CORE)).match(bare.href)) ?? (await (await caches.open(PARTS)).match(bare.href));
  if (found) return headed(found);
  const response = await fetch(request);
  const name = bare.href.slice(registration.scope.length);
  if (response.ok && /^(parts|ort)\//.test(name)) await (await caches.open(PARTS)).put(bare.href, response.clone());
  return headed(response);
}

function headed(response) {
  if (response.type === "opaque" || response.status === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
