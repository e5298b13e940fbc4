// How large the network paints a sketch, as the engine decides it without an enlarger.

/** @typedef {{width: number, height: number}} Size */
/** @typedef {{size: [number, number], num_ups: number}} Generator `size`: height and width at training */

const LONGEST = 2048;

/** Half way to the even one, as Python rounds. @param {number} value */
const rounded = (value) => (Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value));

/** @param {number} side @param {number} step */
const multiple = (side, step) => Math.max(1, rounded(side / step)) * step;

/** @param {Size} sketch @param {Generator} generator @returns {Size} */
export function paintingSize({ width, height }, { size, num_ups }) {
  const scale = Math.min(Math.min(...size) / Math.min(width, height), LONGEST / Math.max(width, height));
  return { width: multiple(width * scale, 2 ** num_ups), height: multiple(height * scale, 2 ** num_ups) };
}

/** With a short side of about so many pixels. @param {Size} sketch @param {number} short @param {Generator} generator @returns {Size} */
export function smallSize({ width, height }, short, { num_ups }) {
  const [w, h] = [width, height].map((side) => Math.max(4, rounded((side * short) / Math.min(width, height))));
  return { width: multiple(w, 2 ** num_ups), height: multiple(h, 2 ** num_ups) };
}

/** Each pixel takes the id under its centre. @param {import("./styles.js").Sketch} sketch @param {Size} size @returns {import("./styles.js").Sketch} */
export function resized({ ids, width, height }, size) {
  if (width === size.width && height === size.height) return { ids, width, height };
  const made = new Uint8Array(size.width * size.height);
  const columns = centres(size.width, width);
  centres(size.height, height).forEach((row, y) => columns.forEach((column, x) => (made[y * size.width + x] = ids[row * width + column])));
  return { ids: made, ...size };
}

/** @param {number} count @param {number} old */
const centres = (count, old) => Array.from({ length: count }, (_, i) => Math.floor(((2 * i + 1) * old) / (2 * count)));
