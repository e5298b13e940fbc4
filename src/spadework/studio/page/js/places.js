// Two tabs never share a drawing: each claims the name of its own.

import { uniqueName } from "./page.js";

const PREFIX = "spadework-";
const ANSWER = 150;  // ms in which another tab says that it has a name
const BUSY = 3000;  // ms for one that has left its mark: it may be at work

/** @typedef {{ release: () => void, ours: () => boolean }} Place gives the name back; whether it is still this page's */

/**
 * Take a name for the life of this page; null if another tab has it. Plain http has no locks: there tabs ask each other.
 * @param {string} name @param {number} [patience] ms to wait for a page that is just being left @returns {Promise<Place | null>}
 */
export const claim = (name, patience = 0) => (navigator.locks ? locked(name, patience) : asked(name));

/** @param {string} name @param {number} patience @returns {Promise<Place | null>} */
function locked(name, patience) {
  /** @type {LockOptions} */
  const options = patience ? { signal: AbortSignal.timeout(patience) } : { ifAvailable: true };
  return new Promise((done) => {
    const kept = navigator.locks.request(PREFIX + name, options, (lock) => {
      if (lock === null) return done(null);
      return new Promise((end) => done({ release: () => end(null), ours: () => true }));
    });
    kept.catch(() => done(null));
  });
}

const PAGE = uniqueName();

/** Marks of the pages that have a name: who is too busy to answer, or asleep, is not forgotten. */
const marks = {
  /** @param {string} name */
  key: (name) => `${PREFIX}has:${name}`,
  /** @param {string} name */
  read(name) {
    try {
      return localStorage.getItem(marks.key(name));
    } catch {
      return null;
    }
  },
  /** @param {string} name */
  leave(name) {
    try {
      localStorage.setItem(marks.key(name), PAGE);
    } catch {
      // a store that is full or closed: then tabs have only their answers
    }
  },
  /** @param {string} name */
  remove(name) {
    if (marks.read(name) === PAGE) localStorage.removeItem(marks.key(name));
  },
};

/** @type {Set<string>} names that this page has or wants */
const ours = new Set();
const channel = navigator.locks ? null : new BroadcastChannel(`${PREFIX}places`);
channel?.addEventListener("message", ({ data }) => { if (ours.has(data.wanted)) channel.postMessage({ taken: data.wanted }); });
if (channel) addEventListener("pagehide", () => ours.forEach(marks.remove));

/** @param {string} name @returns {Promise<Place | null>} */
function asked(name) {
  ours.add(name);
  const place = {
    release() {
      ours.delete(name);
      marks.remove(name);
    },
    ours: () => [null, PAGE].includes(marks.read(name)),
  };
  return new Promise((done) => {
    /** @param {MessageEvent} event */
    const hear = ({ data }) => { if (data.taken === name) answer(null); };
    const timer = setTimeout(() => answer(place), place.ours() ? ANSWER : BUSY);
    /** @param {Place | null} result */
    const answer = (result) => {
      clearTimeout(timer);
      channel?.removeEventListener("message", hear);
      if (result) marks.leave(name);
      else ours.delete(name);
      done(result);
    };
    channel?.addEventListener("message", hear);
    channel?.postMessage({ wanted: name });
  });
}
