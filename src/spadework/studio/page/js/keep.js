// Where drawings are kept: in the browser's database, or without one for as long as the page lives.

/** @typedef {{text: string, time: number, title: string, face: string, hand: any, plain: boolean}} Kept a drawing; `plain`: nobody has drawn on it yet */
/** @typedef {Kept & {name: string}} Named */

/** What the first studios did not keep. */
const OLDEST = { title: "Sketch", face: "", hand: null, plain: false };

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function answered(request) {
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

export class Cupboard {
  /** @param {IDBDatabase | null} base */
  constructor(base) {
    this.base = base;
    /** @type {Map<string, Kept>} without a database */
    this.memory = new Map();
  }

  /** @param {string} name of the database */
  static async open(name) {
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore("sheets");
      return new Cupboard(await answered(request));
    } catch {
      return new Cupboard(null);
    }
  }

  /** Whether drawings outlive the page. */
  get lasting() { return this.base !== null; }

  /** @param {IDBTransactionMode} mode */
  #store(mode) {
    return /** @type {IDBDatabase} */ (this.base).transaction("sheets", mode).objectStore("sheets");
  }

  /** @param {string} name @returns {Promise<Kept | null>} */
  async get(name) {
    const kept = this.base ? await answered(this.#store("readonly").get(name)) : this.memory.get(name);
    return kept ? { ...OLDEST, ...kept } : null;
  }

  /** @param {string} name @param {Kept} kept */
  async put(name, kept) {
    if (this.base) await answered(this.#store("readwrite").put(kept, name));
    else this.memory.set(name, kept);
  }

  /** @param {string} name */
  async remove(name) {
    if (this.base) await answered(this.#store("readwrite").delete(name));
    else this.memory.delete(name);
  }

  /** The newest first. @returns {Promise<Named[]>} */
  async all() {
    const found = this.base ? await this.#stored() : [...this.memory].map(([name, kept]) => ({ ...kept, name }));
    return found.sort((a, b) => b.time - a.time);
  }

  /** @returns {Promise<Named[]>} */
  async #stored() {
    const store = this.#store("readonly");
    const [names, values] = await Promise.all([answered(store.getAllKeys()), answered(store.getAll())]);
    return values.map((kept, i) => ({ ...OLDEST, ...kept, name: String(names[i]) }));
  }
}

const LAST = "spadework-last:";

/** What a page that is being left still has to say; no database is fast enough for that. @param {string} name @param {Kept} kept */
export function sayLast(name, kept) {
  try {
    localStorage.setItem(LAST + name, JSON.stringify(kept));
  } catch {
    // too large for this store: the database has all but the last moment
  }
}

/** Names of pages that had a last word. */
export function lastNames() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(LAST)).map((key) => key.slice(LAST.length));
  } catch {
    return [];  // the browser has closed its stores to this site
  }
}

/** Puts a page's last word where it belongs, unless there is a newer one. @param {Cupboard} cupboard @param {string} name */
export async function hearLast(cupboard, name) {
  const kept = parsed(localStorage.getItem(LAST + name));
  const known = await cupboard.get(name);
  if (kept && (!known || known.time < kept.time)) await cupboard.put(name, kept);
  localStorage.removeItem(LAST + name);
}

/** @param {string | null} said @returns {Kept | null} */
function parsed(said) {
  try {
    const kept = JSON.parse(said ?? "null");
    return typeof kept?.text === "string" ? kept : null;
  } catch {
    return null;
  }
}

const PLACE = "sheet";

/** The name of this tab's drawing before a reload. */
export function ownName() {
  try {
    return sessionStorage.getItem(PLACE);
  } catch {
    return null;
  }
}

/** @param {string} name */
export function rememberName(name) {
  try {
    sessionStorage.setItem(PLACE, name);
  } catch {
    // a reload will begin anew; that nothing is kept is told when the drawing is saved
  }
}
