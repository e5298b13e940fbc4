// How the photograph looks: a seed's mood or a photo's, or a blend of two.

import { ask } from "./api.js";

/** @typedef {{seed: number} | {id: string, origin: string, z: number[]}} Mood of a seed, or of a photo */

export const MAX_SEED = 2 ** 32 - 1;

/** @param {Mood} mood */
export const nameOf = (mood) => ("seed" in mood ? `seed:${mood.seed}` : mood.id);

/** For people. @param {Mood | null} mood */
export const titleOf = (mood) => (!mood ? "none" : "seed" in mood ? `seed ${mood.seed}` : mood.origin);

/** Fires "change". While `locked`, dice and new sketches leave the mood alone. */
export class Style extends EventTarget {
  constructor() {
    super();
    this.seed = 0;
    /** @type {Mood} */
    this.mood = { seed: 0 };
    /** @type {Mood | null} */
    this.other = null;
    this.blend = 0.5;
    this.locked = false;
    this.able = true;
  }

  /** @param {Partial<Pick<Style, "seed" | "mood" | "other" | "blend" | "locked">>} values */
  set(values) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }

  /** Another seed: another mood, or under a lock only other detail. @param {number} seed */
  roll(seed) {
    this.set(this.locked || "id" in this.mood ? { seed } : { seed, mood: { seed } });
  }

  /** What a request says about it. */
  query() {
    if (!this.able) return { seed: this.seed };
    const blended = this.other ? { other: nameOf(this.other), blend: this.blend } : {};
    return { seed: this.seed, style: nameOf(this.mood), ...blended };
  }

  /** Give our photo styles to a server that does not know them. */
  async bring() {
    for (const mood of [this.mood, this.other]) {
      if (!mood || "seed" in mood) continue;
      const body = JSON.stringify({ origin: mood.origin, z: mood.z });
      await ask("/api/styles", { method: "PUT", body, headers: { "Content-Type": "application/json" } });
    }
  }

  toJSON() {
    const { seed, mood, other, blend, locked } = this;
    return { seed, mood, other, blend, locked };
  }
}

/** @returns {number} */
export const randomSeed = () => Math.floor(Math.random() * 10000);

/** Whether a mood from a file can be used. @param {any} mood */
export function isMood(mood) {
  if (Number.isInteger(mood?.seed)) return mood.seed >= 0 && mood.seed <= MAX_SEED;
  const values = Array.isArray(mood?.z) && mood.z.every(Number.isFinite);
  return values && /^[0-9a-f]{16}$/.test(mood.id) && typeof mood.origin === "string";
}
