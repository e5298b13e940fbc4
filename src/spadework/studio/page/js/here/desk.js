// Between the page and the worker: what would be a request to the server becomes a message.

/** @typedef {{stage: "fetching" | "preparing" | "ready", share?: number, provider?: string, ms?: number}} Told */

/** Fires "told" (detail: Told). */
export class Desk extends EventTarget {
  constructor() {
    super();
    this.worker = new Worker(new URL(`./worker.js${location.search}`, import.meta.url), { type: "module" });
    /** @type {Map<number, (response: Response) => void>} */
    this.open = new Map();
    this.last = 0;
    this.worker.onmessage = ({ data }) => this.#hear(data);
  }

  /** @param {any} data */
  #hear({ told, id, status, headers, body }) {
    if (told) return this.dispatchEvent(new CustomEvent("told", { detail: told }));
    this.open.get(id)?.(new Response(body, { status, headers }));
    this.open.delete(id);
  }

  /** As `fetch`; files of the site are fetched. @param {string} path @param {RequestInit} [options] @returns {Promise<Response>} */
  ask(path, options = {}) {
    if (!path.startsWith("/")) return fetch(path, options);
    const id = ++this.last;
    const { body, signal } = options;
    return new Promise((done, failed) => {
      this.open.set(id, done);
      signal?.addEventListener("abort", () => {
        if (!this.open.delete(id)) return;
        this.worker.postMessage({ drop: id });
        failed(signal.reason);
      });
      this.worker.postMessage({ id, path, body });
    });
  }
}
