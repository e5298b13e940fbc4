// Moods with names: the lights that seeds have for a sketch, told apart by measuring what they paint, as the server does.

/** @typedef {{light: number, warmth: number, contrast: number, color: number}} Look in grey levels */
/** @typedef {Record<string, [number | null, number | null]>} Bounds of measures: above the first, below the second */
/** @typedef {{name: string, apart: Bounds, itself: Bounds, wanted: Record<string, number>, near: Record<string, [number, number]>}} Mood as the server has it */
/** @typedef {{tried: number, short: number, near_black: number, brightness: number[], moods: Mood[], shown: string[]}} Rules seeds that are tried, the short side of their pictures, and what names are earned by; the rarest mood chooses first */

const MEASURES = /** @type {const} */ (["light", "warmth", "contrast", "color"]);

/** @param {Uint8Array} pixels RGBA @param {number[]} brightness of red, green and blue @returns {Look} */
export function lookOf(pixels, brightness) {
  let [light, squares, warmth, color] = [0, 0, 0, 0];
  const count = pixels.length / 4;
  for (let i = 0; i < pixels.length; i += 4) {
    const [r, g, b] = [pixels[i], pixels[i + 1], pixels[i + 2]];
    const value = brightness[0] * r + brightness[1] * g + brightness[2] * b;
    light += value;
    squares += value * value;
    warmth += r - b;
    color += Math.max(r, g, b) - Math.min(r, g, b);
  }
  const mean = light / count;
  return { light: mean, warmth: warmth / count, contrast: Math.sqrt(Math.max(0, squares / count - mean * mean)), color: color / count };
}

/** Those that there are among some looks, as the day goes. @param {Look[]} looks @param {Rules} rules @returns {[string, number][]} name and index */
export function named(looks, { moods, shown }) {
  const middle = middleOf(looks);
  const free = new Map(looks.map((look, n) => [n, difference(look, middle)]));
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const mood of moods) {
    const fitting = [...free].filter(([n, d]) => within(d, mood.apart) && within(looks[n], mood.itself));
    if (!fitting.length) continue;
    const [chosen] = fitting.reduce((a, b) => (best(mood, b[1]) > best(mood, a[1]) ? b : a));
    found.set(mood.name, chosen);
    free.delete(chosen);
  }
  return shown.flatMap((name) => (found.has(name) ? [[name, /** @type {number} */ (found.get(name))]] : []));
}

/** The index of the first look, unless it is near black: then of the one nearest to the middle. @param {Look[]} looks @param {Rules} rules */
export function brightEnough(looks, { near_black }) {
  if (looks[0].light >= near_black) return 0;
  const middle = middleOf(looks).light;
  const away = looks.map(({ light }) => Math.abs(light - middle));
  return away.indexOf(Math.min(...away));
}

/** @param {Look} look @param {Bounds} bounds */
const within = (look, bounds) => Object.entries(bounds).every(([name, [low, high]]) => measure(look, name) > (low ?? -Infinity) && measure(look, name) < (high ?? Infinity));

/** @param {Mood} mood @param {Look} d the difference from the middle */
function best({ wanted, near }, d) {
  const gained = Object.entries(wanted).reduce((sum, [name, weight]) => sum + weight * measure(d, name), 0);
  return gained - Object.entries(near).reduce((sum, [name, [to, weight]]) => sum + weight * Math.abs(measure(d, name) - to), 0);
}

/** @param {Look} look @param {string} name */
const measure = (look, name) => look[/** @type {keyof Look} */ (name)];

/** @param {Look} a @param {Look} b */
const difference = (a, b) => /** @type {Look} */ (Object.fromEntries(MEASURES.map((name) => [name, a[name] - b[name]])));

/** @param {Look[]} looks @returns {Look} */
const middleOf = (looks) => /** @type {Look} */ (Object.fromEntries(MEASURES.map((name) => [name, median(looks.map((look) => look[name]))])));

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(values.length - 1) >> 1] + sorted[values.length >> 1]) / 2;
}
