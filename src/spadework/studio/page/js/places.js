// Two tabs never share a drawing: each claims the name of its own.

const PREFIX = "spadework-";
const ANSWER = 150;  // ms in which another tab answers

/** @typedef {() => void} Release gives the name back */

/**
 * Take a name for the life of this page; null if another tab has it. Plain http has no locks: there tabs ask each other.
 * @param {string} name @param {number} [patience] ms to wait for a page that is just being left @returns {Promise<Release | null>}
 */
export const claim = (name, patience = 0) => (navigator.locks ? locked(name, patience) : asked(name));

/** @param {string} name @param {number} patience @returns {Promise<Release | null>} */
function locked(name, patience) {
  /** @type {LockOptions} */
  const options = patience ? { signal: AbortSignal.timeout(patience) } : { ifAvailable: true };
  return new Promise((done) => {
    const kept = navigator.locks.request(PREFIX + name, options, (lock) => {
      if (lock === null) return done(null);
      return new Promise((release) => done(() => release(null)));
    });
    kept.catch(() => done(null));
  });
}

/** @type {Set<string>} names that this page has or wants */
const ours = new Set();
const channel = navigator.locks ? null : new BroadcastChannel(`${PREFIX}places`);
channel?.addEventListener("message", ({ data }) => { if (ours.has(data.wanted)) channel.postMessage({ taken: data.wanted }); });

/** @param {string} name @returns {Promise<Release | null>} */
function asked(name) {
  ours.add(name);
  const release = () => void ours.delete(name);
  return new Promise((done) => {
    /** @param {MessageEvent} event */
    const hear = ({ data }) => { if (data.taken === name) answer(null); };
    const timer = setTimeout(() => answer(release), ANSWER);
    /** @param {Release | null} result */
    const answer = (result) => {
      clearTimeout(timer);
      channel?.removeEventListener("message", hear);
      if (!result) release();
      done(result);
    };
    channel?.addEventListener("message", hear);
    channel?.postMessage({ wanted: name });
  });
}
