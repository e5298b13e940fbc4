// Label contexts: the distinct neighbourhoods of a map, and which one every pixel has.

/** @typedef {{patches: Int32Array, index: Int32Array, count: number}} Contexts `patches`: of `count` squares */
/** @typedef {{label_nc: number, unknown: boolean, unknown_id: number}} Semantics */

/** Every step-th pixel as a channel of the model. @param {Uint8Array} ids @param {number} width @param {number} step @param {Semantics} semantics */
export function channels(ids, width, step, { label_nc, unknown, unknown_id }) {
  const [w, h] = [width / step, ids.length / width / step];
  const made = new Uint8Array(w * h);
  for (let y = 0, at = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const id = ids[y * step * width + x * step];
      made[at++] = unknown && id === unknown_id ? label_nc : id;
    }
  }
  return made;
}

/**
 * Equal neighbourhoods, and only they, get the same number: first runs in a row, then rows of runs.
 * @param {Uint8Array} map channels @param {number} w @param {number} radius @param {number | null} outside what lies beyond the border; null: what lies at it
 * @returns {Contexts}
 */
export function contexts(map, w, radius, outside) {
  const h = map.length / w;
  const side = 2 * radius + 1;
  const [pw, ph] = [w + 2 * radius, h + 2 * radius];
  const padded = continued(map, w, h, radius, outside);
  const runs = numbered(padded, w * ph, side, (at) => Math.floor(at / w) * pw + (at % w), 1);
  const squares = numbered(runs.numbers, w * h, side, (at) => at, w);
  const patches = new Int32Array(squares.first.length * side * side);
  squares.first.forEach((at, n) => {
    const corner = Math.floor(at / w) * pw + (at % w);
    for (let y = 0; y < side; y++) patches.set(padded.subarray(corner + y * pw, corner + y * pw + side), (n * side + y) * side);
  });
  return { patches, index: squares.numbers, count: squares.first.length };
}

/** @param {Uint8Array} map @param {number} w @param {number} h @param {number} radius @param {number | null} outside */
function continued(map, w, h, radius, outside) {
  const padded = new Int32Array((w + 2 * radius) * (h + 2 * radius));
  for (let y = -radius, at = 0; y < h + radius; y++) {
    for (let x = -radius; x < w + radius; x++, at++) {
      const [cy, cx] = [Math.min(h - 1, Math.max(0, y)), Math.min(w - 1, Math.max(0, x))];
      padded[at] = outside !== null && (cy !== y || cx !== x) ? outside : map[cy * w + cx];
    }
  }
  return padded;
}

/**
 * Numbers sequences of `side` names, pair by pair, so that keys stay exact numbers.
 * @param {Int32Array} names @param {number} count of sequences @param {number} side @param {(at: number) => number} start @param {number} stride
 * @returns {{numbers: Int32Array, first: number[]}} and where each number is first
 */
function numbered(names, count, side, start, stride) {
  const starts = Int32Array.from({ length: count }, (_, at) => start(at));
  let numbers = starts.map((from) => names[from]);
  /** @type {number[]} */
  let first = [];
  for (let k = 1; k < side; k++) {
    /** @type {Map<number, number>} */
    const known = new Map();
    const next = new Int32Array(count);
    first = [];
    for (let at = 0; at < count; at++) {
      const key = numbers[at] * 0x400000 + names[starts[at] + k * stride];  // there are fewer than 2^22 pixels
      let number = known.get(key);
      if (number === undefined) {
        number = known.size;
        known.set(key, number);
        first.push(at);
      }
      next[at] = number;
    }
    numbers = next;
  }
  return { numbers, first };
}
