// Every drawing is kept in the browser: a reload, a crash or a closed tab loses nothing.

const DAYS = 60;
const RELOAD = 1000;  // ms within which a page that reloads gives its place to its successor

/** @returns {Promise<IDBDatabase>} */
function database() {
  const request = indexedDB.open("spadework", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("sheets");
  return answered(request);
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function answered(request) {
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

/** One tab's place. Two tabs never share one: each holds a lock of its name. */
export class Keeper {
  /** @param {IDBDatabase} base @param {string} name */
  constructor(base, name) {
    this.base = base;
    this.name = name;
  }

  /** This tab's place after a reload, else the newest that no living tab holds, else a new one. */
  static async open() {
    const base = await database();
    const own = sessionStorage.getItem("sheet");
    if (own && (await held(own, { signal: AbortSignal.timeout(RELOAD) }))) return new Keeper(base, own);
    for (const name of await orphans(base)) {
      if (await held(name)) return new Keeper(base, named(name));
    }
    const name = crypto.randomUUID();
    await held(name);
    return new Keeper(base, named(name));
  }

  /** @returns {Promise<string | null>} */
  async read() {
    return (await answered(store(this.base, "readonly").get(this.name)))?.text ?? null;
  }

  /** @param {string} text */
  async write(text) {
    await answered(store(this.base, "readwrite").put({ text, time: Date.now() }, this.name));
  }
}

/** @param {string} name */
function named(name) {
  sessionStorage.setItem("sheet", name);
  return name;
}

/** @param {IDBDatabase} base @param {IDBTransactionMode} mode */
const store = (base, mode) => base.transaction("sheets", mode).objectStore("sheets");

/** Names of kept drawings, the newest first; very old ones are dropped. @param {IDBDatabase} base */
async function orphans(base) {
  const [keys, values] = await Promise.all([
    answered(store(base, "readonly").getAllKeys()), answered(store(base, "readonly").getAll())]);
  const found = keys.map((key, i) => ({ name: String(key), time: values[i].time })).sort((a, b) => b.time - a.time);
  const limit = Date.now() - DAYS * 24 * 3600 * 1000;
  for (const old of found.filter(({ time }) => time < limit)) store(base, "readwrite").delete(old.name);
  return found.filter(({ time }) => time >= limit).map(({ name }) => name);
}

/**
 * Take the lock of a name for the life of this tab; false if another tab has it.
 * @param {string} name @param {LockOptions} [options] @returns {Promise<boolean>}
 */
function held(name, options = { ifAvailable: true }) {
  return new Promise((done) => {
    const kept = navigator.locks.request(`spadework-${name}`, options, (lock) => {
      done(lock !== null);
      return lock && new Promise(() => {});
    });
    kept.catch(() => done(false));
  });
}
