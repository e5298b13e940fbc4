// Other lights in parts of a picture, laid over it as the engine lays them.

import { resized, rounded } from "./sizes.js";

/** @typedef {import("./styles.js").Style} Style */
/** @typedef {{numbers: Uint8Array, styles: Style[]}} Lights 0 where a picture keeps its style, n where it has the n-th of `styles` */
/** @typedef {import("./sizes.js").Size} Size */

/** On another sheet, and without the lights that no pixel has. @param {Lights} lights @param {Size} old @param {Size} size @returns {Lights} */
export function fitting({ numbers, styles }, old, size) {
  const { ids } = resized({ ...old, ids: numbers }, size);
  const there = styles.map((_, n) => n + 1).filter((number) => ids.includes(number));
  return { numbers: ids.map((number) => there.indexOf(number) + 1), styles: there.map((number) => styles[number - 1]) };
}

/**
 * A light flows into another inside a class, over a long way, and ends where the class ends.
 * @param {Uint8Array} pixels RGBA @param {Uint8Array[]} others as large, one for every light @param {Uint8Array} numbers @param {Uint8Array} ids @param {Size} size @param {number} wide share of the short side
 */
export function laid(pixels, others, numbers, ids, size, wide) {
  const radius = Math.max(1, rounded(wide * Math.min(size.width, size.height)));
  const weights = others.map(() => new Float64Array(ids.length));
  const lit = new Set(ids.filter((_, at) => numbers[at] > 0));
  for (const id of lit) {
    const whole = sums(Float64Array.from(ids, (other) => Number(other === id)), size, radius);
    weights.forEach((weight, n) => {
      const here = sums(Float64Array.from(ids, (other, at) => Number(other === id && numbers[at] === n + 1)), size, radius);
      for (let at = 0; at < ids.length; at++) if (ids[at] === id) weight[at] = here[at] / whole[at];
    });
  }
  const soft = weights.map((weight) => meant(weight, size));
  const made = pixels.slice();
  for (let at = 0; at < ids.length; at++) {
    const rest = Math.max(0, 1 - soft.reduce((sum, weight) => sum + weight[at], 0));
    for (let i = 4 * at; i < 4 * at + 3; i++) {
      const value = others.reduce((sum, other, n) => sum + other[i] * soft[n][at], pixels[i] * rest);
      made[i] = Math.min(255, Math.max(0, rounded(value)));
    }
  }
  return made;
}

/** Sums over a square window, three times. @param {Float64Array} values @param {Size} size @param {number} radius */
const sums = (values, size, radius) => threefold(values, size, (line) => windows(line, radius));

/** Means of three by three values, three times. @param {Float64Array} values @param {Size} size */
const meant = (values, size) => threefold(values, size, (line) => line.map((value, at) => ((line[at - 1] ?? value) + value + (line[at + 1] ?? value)) / 3));

/** Sums around every value of a line, which goes on at its ends as it ends. @param {Float64Array} line @param {number} radius */
function windows(line, radius) {
  const value = (/** @type {number} */ at) => line[Math.min(line.length - 1, Math.max(0, at))];
  let sum = 0;
  for (let at = -radius; at < radius; at++) sum += value(at);
  return line.map((_, at) => {
    sum += value(at + radius);
    const found = sum;
    sum -= value(at - radius);
    return found;
  });
}

/** What a line becomes, for columns and rows, three times. @param {Float64Array} values @param {Size} size @param {(line: Float64Array) => Float64Array} become */
function threefold(values, { width, height }, become) {
  let all = values;
  for (let time = 0; time < 3; time++) {
    const next = new Float64Array(all.length);
    const column = new Float64Array(height);
    for (let x = 0; x < width; x++) {
      for (let y = 0; y < height; y++) column[y] = all[y * width + x];
      become(column).forEach((value, y) => (next[y * width + x] = value));
    }
    for (let y = 0; y < height; y++) next.set(become(next.slice(y * width, (y + 1) * width)), y * width);
    all = next;
  }
  return all;
}
