// How the photograph looks: a seed decides the place, what lies where; a mood decides the light: a seed's or a photo's,
// or a blend of two.

import { send } from "./api.js";
import { runsOf } from "./runs.js";

/** @typedef {{id: string, origin: string, z: number[]}} Held a style, and a name for it: equal ones have equal names */
/** @typedef {({seed: number, name?: string} & Partial<Held>) | Held} Mood of a seed, which becomes a style when it is painted, or of a photo */
/** @typedef {import("./painter.js").Sketch} Sketch */

export const MAX_SEED = 2 ** 32 - 1;

/** For requests. @param {Mood} mood @returns {{origin: string, z: number[]} | {seed: number}} */
export const lightOf = (mood) => (mood.z ? { origin: mood.origin ?? "given", z: mood.z } : { seed: "seed" in mood ? mood.seed : 0 });

/** The same for a name or a seed, whatever style it has become. @param {Mood} mood */
export const keyOf = (mood) => ("seed" in mood ? mood.name ?? `seed:${mood.seed}` : mood.id);

/** For people. @param {Mood | null} mood */
export const titleOf = (mood) => (!mood ? "none" : "seed" in mood ? mood.name ?? `seed ${mood.seed}` : mood.origin);

/**
 * Fires "change", and "settled" when seeds have become styles.
 *
 * What a seed means depends on the sketch, so that snow gets the light of snow. Until a person has chosen, the mood
 * follows the sketch; what is chosen becomes a style of its own, and painting on never changes it. While `locked`,
 * dice and new sheets leave the light alone.
 */
export class Style extends EventTarget {
  constructor() {
    super();
    this.seed = 0;
    /** @type {Mood} */
    this.mood = { seed: 0 };
    /** @type {Mood | null} */
    this.other = null;
    this.blend = 0.5;
    this.chosen = false;
    this.locked = false;
    this.able = true;
  }

  /** A person chooses. @param {Partial<Pick<Style, "seed" | "mood" | "other" | "blend" | "locked">>} values */
  choose(values) {
    this.set({ ...values, chosen: true });
  }

  /** @param {Partial<Pick<Style, "seed" | "mood" | "other" | "blend" | "chosen" | "locked">>} values */
  set(values) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }

  /** Whether another seed is another place only: under a lock, and in the light of a photo. */
  get keepsLight() { return this.locked || !("seed" in this.mood); }

  /** Another place, and another light unless that is kept. @param {number} seed */
  roll(seed) {
    this.choose(this.keepsLight ? { seed } : { seed, mood: { seed } });
  }

  /** Chosen seeds become the styles that suit a sketch. @param {Sketch} sketch */
  async settle(sketch) {
    if (!this.chosen) return;
    for (const slot of /** @type {const} */ (["mood", "other"])) {
      const mood = this[slot];
      if (!this.able || !mood || mood.id || !("seed" in mood)) continue;
      const response = await send("/v1/style/of-seed", { runs: runsOf(sketch), seed: mood.seed });
      const { style } = await response.json();
      if (this[slot] !== mood) continue;
      this[slot] = { seed: mood.seed, ...style };
      this.dispatchEvent(new Event("settled"));
    }
  }

  /** Another sheet, whose light nobody has chosen: that of its place, or a photo's. */
  unsettle() {
    if (this.locked) return;
    const { seed, mood, other } = this;
    const kept = !("seed" in mood);
    this.set({ mood: kept ? mood : { seed }, other: other && unsettled(other), chosen: kept });
  }

  /** What a request says about it. */
  asked() {
    if (!this.able) return { seed: this.seed };
    const blended = this.other ? { other: lightOf(this.other), blend: this.blend } : {};
    return { seed: this.seed, style: lightOf(this.mood), ...blended };
  }

  toJSON() {
    const { seed, mood, other, blend, chosen, locked } = this;
    return { seed, mood, other, blend, chosen, locked };
  }
}

/** @param {Mood} mood @returns {Mood} */
const unsettled = (mood) => ("seed" in mood ? { seed: mood.seed } : mood);

/** @returns {number} */
export const randomSeed = () => Math.floor(Math.random() * 10000);

/** Whether a mood from a file can be used. @param {any} mood */
export function isMood(mood) {
  const seeded = Number.isInteger(mood?.seed) && mood.seed >= 0 && mood.seed <= MAX_SEED;
  if (mood?.seed !== undefined && !(seeded && mood.id)) return seeded;
  const values = Array.isArray(mood?.z) && mood.z.every(Number.isFinite);
  return values && /^[0-9a-f]{16}$/.test(mood.id) && typeof mood.origin === "string";
}
