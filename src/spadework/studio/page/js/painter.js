// The photograph follows the drawing: one request at a time, always for the newest state.

import { Problem, ask, send, service } from "./api.js";
import { uniqueName } from "./page.js";
import { runsOf } from "./runs.js";
import { lightOf } from "./style.js";

/** @typedef {{ids: Uint8Array, width: number, height: number, lights?: import("./layers.js").Lights | null}} Sketch `lights`: of its parts, if not all are in one */
/** @typedef {import("./style.js").Style} Style */
/** @typedef {{image: ImageBitmap, painted: string, doublings: number, ms: number, stages: Record<string, number>, preview: boolean, obedience: number | null}} Photograph `painted`: by the model, as "width x height", and doubled so often; `ms` in all, and in stages; `obedience`: the share that looks like what was drawn, if it was asked for and can be told */

const SLOW = 300;  // ms; below that a preview would only delay the whole picture
const PREVIEW_SIDE = 128;
const REST = 300;  // ms without a change before a picture is painted that takes long
const RETRY = 700;
const GONE = [0, 503];  // nobody is there, or not for long any more

const MUCH = 512 * 384;  // pixels of a sheet that is painted in one go, at rest
const PACE = 150 / MUCH;  // ms per pixel of a whole picture, until one has been painted
const PACES = 5;  // the last ones; their median does not jump when the machine does something else for once

/** @typedef {Record<string, string | number | boolean | undefined>} How */

/** As PNG, or in whatever form is asked for; null: a newer request came. @param {Sketch} sketch @param {Style} style @param {How} how @param {AbortSignal} [signal] */
async function painted(sketch, style, how, signal) {
  const { width, height } = sketch;
  const lit = style.able ? sketch.lights : null;
  const lights = lit && { parts: runsOf({ ids: lit.numbers, width, height }), styles: lit.moods.map(lightOf) };
  const response = await send("/v1/paint", { runs: runsOf(sketch), lights, ...style.asked(), ...how }, signal).catch((problem) => {
    if (signal?.aborted) return null;
    throw problem;
  });
  return response?.status === 204 ? null : response;
}

/** To be shown. @param {Sketch} sketch @param {Style} style @param {How} how @param {AbortSignal} [signal] @returns {Promise<Photograph | null>} */
export async function photograph(sketch, style, how, signal) {
  const began = performance.now();
  const response = await painted(sketch, style, service.near ? { ...how, form: "raw" } : how, signal);
  if (!response) return null;
  const answered = performance.now();
  const body = await (service.near ? pixels(response) : response.blob()).catch((problem) => {
    if (signal?.aborted) return null;
    throw problem;
  });
  if (!body) return null;
  const image = await createImageBitmap(body);
  const ended = performance.now();
  const stages = { ...serverStages(response), show: ended - answered };
  const [size, enlarged, obeys] = ["X-Painted", "X-Enlarged", "X-Obedience"].map((name) => response.headers.get(name));
  const made = { painted: size ?? "", doublings: Math.log2(Number(enlarged) || 1) };
  return { image, ...made, ms: ended - began, stages, preview: "short" in how, obedience: obeys ? Number(obeys) : null };
}

/** @param {Response} response */
async function pixels(response) {
  const bytes = new Uint8ClampedArray(await response.arrayBuffer());
  return new ImageData(bytes, Number(response.headers.get("X-Width")));
}

/** Where the server spent its time, in ms. @param {Response} response @returns {Record<string, number>} */
function serverStages(response) {
  const told = (response.headers.get("Server-Timing") ?? "").matchAll(/(\w+);dur=([\d.]+)/g);
  return Object.fromEntries([...told].map(([, name, ms]) => [name, Number(ms)]));
}

/** Fires "rest" when all is painted, "photograph" (detail: Photograph), "state" (detail: "painting" | "done" | "away" | "wrong"), "problem". */
export class Painter extends EventTarget {
  /** @param {() => Sketch} sketch @param {Style} style @param {number} short side that the model was trained for @param {() => import("./layers.js").Lights | null} lights of the sketch's parts */
  constructor(sketch, style, short, lights) {
    super();
    this.sketch = sketch;
    this.style = style;
    this.short = short;
    this.lights = lights;
    this.client = uniqueName();
    this.wanted = 0;
    this.painted = 0;
    this.previewed = { version: 0, short: 0 };
    this.paces = [PACE];
    this.asking = new AbortController();
    this.running = false;
    this.state = "done";
  }

  /** Until the photograph is the one of the drawing. @returns {Promise<void>} */
  async rest() {
    if (this.running) await new Promise((done) => this.addEventListener("rest", done, { once: true }));
  }

  /** The drawing or the style is not what it was. */
  changed() {
    this.wanted += 1;
    this.asking.abort();
    if (this.running) return;
    this.running = true;
    queueMicrotask(() => void this.#run());  // a new sheet with a new style is one change
  }

  async #run() {
    while (this.painted < this.wanted) {
      this.#be("painting");
      await this.#paintOnce();
    }
    this.running = false;
    if (this.state === "painting") this.#be("done");
    this.dispatchEvent(new Event("rest"));
  }

  async #paintOnce() {
    const version = this.wanted;
    const short = this.#next(version);
    try {
      await this.style.settle(this.sketch());
      const sketch = { ...this.sketch(), lights: this.lights() };
      const { signal } = this.asking = new AbortController();
      const long = !short && this.#slow;
      if (long && sketch.width * sketch.height > MUCH) await pause(REST, signal);
      if (version < this.wanted) return;
      const how = { client: this.client, live: true, ...(short ? { short } : {}) };
      const result = await photograph(sketch, this.style, how, long ? signal : undefined);
      if (!result) return;
      if (short) this.previewed = { version, short };
      else {
        this.painted = version;
        const ms = result.ms - (result.stages.wait ?? 0);  // for others, who may be gone next time
        this.paces = [...this.paces, ms / (sketch.width * sketch.height)].slice(-PACES);
      }
      this.dispatchEvent(new CustomEvent("photograph", { detail: result }));
    } catch (problem) {
      await this.#suffer(problem, version);
    }
  }

  get #slow() {
    const { width, height } = this.sketch();
    return median(this.paces) * width * height > SLOW;
  }

  /** The short side of the preview that comes next; 0: the whole picture. @param {number} version */
  #next(version) {
    const { width, height } = this.sketch();
    if (!this.#slow) return 0;
    const done = this.previewed.version < version ? 0 : this.previewed.short;
    return previews(Math.min(width, height), this.short).find((side) => side > done) ?? 0;
  }

  /** @param {unknown} problem @param {number} version */
  async #suffer(problem, version) {
    if (problem instanceof Problem && GONE.includes(problem.status)) {
      this.#be("away");
      while (!(await ask("/ready").catch(() => null))) await pause(RETRY);
      return;
    }
    this.painted = version;
    this.#be("wrong");
    this.dispatchEvent(new CustomEvent("problem", { detail: problem }));
  }

  /** @param {string} state */
  #be(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** The sides of the previews of a sheet: small, and what the model paints of a large one. @param {number} side the sheet's @param {number} trained */
const previews = (side, trained) => (isLarge(side, trained) ? [PREVIEW_SIDE, trained] : [PREVIEW_SIDE]);

/** Whether a picture is painted smaller than it is, and then enlarged. @param {number} side the short one @param {number} trained */
export const isLarge = (side, trained) => side > 1.4 * trained;

/** @param {number} ms @param {AbortSignal} [signal] ends it */
const pause = (ms, signal) => new Promise((done) => {
  setTimeout(done, ms);
  signal?.addEventListener("abort", done);
});
