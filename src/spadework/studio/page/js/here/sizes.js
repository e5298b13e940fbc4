// How large the network paints a sketch, and how often the enlarger doubles that, as the engine decides it.

/** @typedef {{width: number, height: number}} Size */
/** @typedef {{size: [number, number], num_ups: number}} Generator `size`: height and width at training */
/** @typedef {{longest: number, doublings: number, least: number, pixels: number, photo: number}} Sizes `longest` side that is painted, `doublings` at most, `least` side of a sketch, most `pixels` of a sketch and of a `photo` */

/** Half way to the even one, as Python rounds. @param {number} value */
export const rounded = (value) => (Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value));

/** @param {number} side @param {number} step */
const multiple = (side, step) => Math.max(1, rounded(side / step)) * step;

/** @param {Size} size @param {Generator} generator @returns {Size} */
const whole = ({ width, height }, { num_ups }) => ({ width: multiple(width, 2 ** num_ups), height: multiple(height, 2 ** num_ups) });

/** @param {Size} size @param {number} scale @param {number} least @returns {Size} */
export const scaled = ({ width, height }, scale, least) => ({ width: Math.max(least, rounded(width * scale)), height: Math.max(least, rounded(height * scale)) });

/**
 * What the network paints for a picture of a size, and how often that is doubled.
 * @param {Size} size @param {Generator} generator @param {Sizes} sizes @param {boolean} enlarges whether there is an enlarger
 * @returns {{size: Size, doublings: number}}
 */
export function plan(size, generator, sizes, enlarges) {
  const [trained, short] = [Math.min(...generator.size), Math.min(size.width, size.height)];
  const doublings = enlarges ? Math.min(sizes.doublings, Math.max(0, rounded(Math.log2(short / trained)))) : 0;
  if (doublings) return { size: whole(scaled(size, Math.max(trained / short, 1 / 2 ** doublings), sizes.least), generator), doublings };
  const scale = Math.min(trained / short, sizes.longest / Math.max(size.width, size.height));
  return { size: whole({ width: size.width * scale, height: size.height * scale }, generator), doublings };
}

/** With a short side of about so many pixels. @param {Size} sketch @param {number} short @param {Generator} generator @param {Sizes} sizes @returns {Size} */
export function smallSize({ width, height }, short, generator, { least }) {
  const [w, h] = [width, height].map((side) => Math.max(least, rounded((side * short) / Math.min(width, height))));
  return whole({ width: w, height: h }, generator);
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
