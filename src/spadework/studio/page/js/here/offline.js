// The site's own keeper: it answers with the network off, and with the headers without which a page has no threads.

const TRIED = "spadework-threads";

/**
 * Registers the keeper. Whether the page is about to be loaded again, now with threads.
 * @param {URL} keeper
 */
export async function alone(keeper) {
  if (!navigator.serviceWorker) return false;  // plain http: everything but threads and going offline works
  await navigator.serviceWorker.register(keeper).catch(() => null);
  if (globalThis.crossOriginIsolated || remembered()) return false;
  await Promise.race([navigator.serviceWorker.ready, new Promise((done) => setTimeout(done, 3000))]);
  location.reload();
  return true;
}

/** Once a visit: a browser that does not isolate pages is not asked again. */
function remembered() {
  try {
    const before = sessionStorage.getItem(TRIED);
    sessionStorage.setItem(TRIED, "yes");
    return before !== null;
  } catch {
    return true;
  }
}
