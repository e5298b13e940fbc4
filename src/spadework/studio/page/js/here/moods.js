// Moods with names: the lights that seeds have for a sketch, told apart by measuring what they paint, as the server does.

/** @typedef {{light: number, warmth: number, contrast: number, color: number}} Look in grey levels */
/** @typedef {{name: string, fits: (d: Look, look: Look) => boolean, best: (d: Look) => number}} Mood the rarest choose first */

export const TRIED = 24;
export const SHORT = 128;
const NEAR_BLACK = 45;
const DAY = 70;

/** @type {Mood[]} */
const MOODS = [
  { name: "night", fits: (d, look) => d.light < -25 && look.light < 75, best: (d) => -d.light },
  { name: "sunset", fits: (d, look) => d.warmth > 20 && look.warmth > 5, best: (d) => d.warmth - Math.abs(d.light + 15) / 3 },
  { name: "golden hour", fits: (d, look) => d.warmth > 8 && look.warmth > 0 && d.light > -15 && look.light > DAY, best: (d) => d.warmth + d.light / 2 },
  { name: "snow light", fits: (d, look) => d.light > 12 && look.light > 110 && d.color < 15, best: (d) => d.light - d.color / 2 },
  { name: "clear noon", fits: (d) => d.light > -5 && d.color > 0, best: (d) => d.color + d.light / 2 - d.warmth / 2 },
  { name: "mist", fits: (d) => d.contrast < -2 && d.light > -20, best: (d) => -d.contrast - d.color / 4 - Math.abs(d.light) / 8 },
  { name: "storm", fits: (d, look) => d.light < -15 && d.color < 0 && look.warmth < 15, best: (d) => -d.color - Math.abs(d.light + 20) / 2 },
  { name: "soft day", fits: (d, look) => look.light > DAY, best: (d) => -Math.abs(d.light) - Math.abs(d.warmth) - Math.abs(d.contrast) },
];

const SHOWN = ["clear noon", "soft day", "golden hour", "sunset", "snow light", "mist", "storm", "night"];
const MEASURES = /** @type {const} */ (["light", "warmth", "contrast", "color"]);

/** @param {Uint8Array} pixels RGBA @returns {Look} */
export function lookOf(pixels) {
  let [light, squares, warmth, color] = [0, 0, 0, 0];
  const count = pixels.length / 4;
  for (let i = 0; i < pixels.length; i += 4) {
    const [r, g, b] = [pixels[i], pixels[i + 1], pixels[i + 2]];
    const value = 0.299 * r + 0.587 * g + 0.114 * b;
    light += value;
    squares += value * value;
    warmth += r - b;
    color += Math.max(r, g, b) - Math.min(r, g, b);
  }
  const mean = light / count;
  return { light: mean, warmth: warmth / count, contrast: Math.sqrt(Math.max(0, squares / count - mean * mean)), color: color / count };
}

/** Those that there are among some looks, as the day goes. @param {Look[]} looks @returns {[string, number][]} name and index */
export function named(looks) {
  const middle = middleOf(looks);
  const free = new Map(looks.map((look, n) => [n, difference(look, middle)]));
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const { name, fits, best } of MOODS) {
    const fitting = [...free].filter(([n, d]) => fits(d, looks[n]));
    if (!fitting.length) continue;
    const [chosen] = fitting.reduce((a, b) => (best(b[1]) > best(a[1]) ? b : a));
    found.set(name, chosen);
    free.delete(chosen);
  }
  return SHOWN.flatMap((name) => (found.has(name) ? [[name, /** @type {number} */ (found.get(name))]] : []));
}

/** The index of the first look, unless it is near black: then of the one nearest to the middle. @param {Look[]} looks */
export function brightEnough(looks) {
  if (looks[0].light >= NEAR_BLACK) return 0;
  const middle = middleOf(looks).light;
  const away = looks.map(({ light }) => Math.abs(light - middle));
  return away.indexOf(Math.min(...away));
}

/** @param {Look} a @param {Look} b */
const difference = (a, b) => /** @type {Look} */ (Object.fromEntries(MEASURES.map((name) => [name, a[name] - b[name]])));

/** @param {Look[]} looks @returns {Look} */
const middleOf = (looks) => /** @type {Look} */ (Object.fromEntries(MEASURES.map((name) => [name, median(looks.map((look) => look[name]))])));

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(values.length - 1) >> 1] + sorted[values.length >> 1]) / 2;
}
