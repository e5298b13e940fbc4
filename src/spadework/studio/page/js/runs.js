// Ids as run lengths, row by row from the top left: as a project keeps them, and as they travel.

/** @typedef {[number, number][]} Pairs an id, and how many */
/** @typedef {{width: number, height: number, runs: Pairs}} Runs */
/** @typedef {{ids: Uint8Array, width: number, height: number}} Sketch */

/** @param {Uint8Array} ids @returns {Pairs} */
export function pairsOf(ids) {
  /** @type {Pairs} */
  const pairs = [];
  for (let from = 0, to; from < ids.length; from = to) {
    to = from + 1;
    while (to < ids.length && ids[to] === ids[from]) to++;
    pairs.push([ids[from], to - from]);
  }
  return pairs;
}

/** @param {Iterable<number[]>} pairs @param {number} length @returns {Uint8Array | null} null if they are more or less than that, or no ids */
export function idsOf(pairs, length) {
  const ids = new Uint8Array(length);
  let at = 0;
  for (const [id, count] of pairs) {
    if (!(Number.isInteger(id) && id >= 0 && id < 256 && count > 0)) return null;
    ids.fill(id, at, at + count);
    at += count;
  }
  return at === length ? ids : null;
}

/** To be sent. @param {Sketch} sketch @returns {Runs} */
export const runsOf = ({ ids, width, height }) => ({ width, height, runs: pairsOf(ids) });

/** What was sent. @param {Runs} runs @returns {Sketch} */
export const sketchOf = ({ width, height, runs }) => ({ ids: idsOf(runs, width * height) ?? new Uint8Array(width * height), width, height });
