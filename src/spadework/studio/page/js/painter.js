// The photograph follows the drawing: one request at a time, always for the newest state.

import { Problem, ask, query, send } from "./api.js";
import { uniqueName } from "./page.js";

/** @typedef {{ids: Uint8Array, width: number, height: number}} Sketch */
/** @typedef {import("./style.js").Style} Style */
/** @typedef {{image: ImageBitmap, painted: string, ms: number, stages: Record<string, number>, preview: boolean}} Photograph `painted`: by the model, as "width x height"; `ms` in all, and in stages */

const SLOW = 150;
const PREVIEW_SIDE = 128;
const RETRY = 700;
const NEAR = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);  // where packing costs more than sending

/** @typedef {Record<string, string | number | boolean | undefined>} How */

/** As PNG, or in whatever form is asked for; null: a newer request came. @param {Sketch} sketch @param {Style} style @param {How} how */
async function painted(sketch, style, how) {
  const size = { width: sketch.width, height: sketch.height };
  const path = `/api/paint?${query({ ...size, ...style.query(), ...how })}`;
  const response = await send(path, sketch.ids.slice()).catch((problem) => remembered(problem, style, path, sketch));
  return response.status === 204 ? null : response;
}

/** To be shown. @param {Sketch} sketch @param {Style} style @param {How} how @returns {Promise<Photograph | null>} */
export async function photograph(sketch, style, how) {
  const began = performance.now();
  const response = await painted(sketch, style, NEAR ? { ...how, form: "raw" } : how);
  if (!response) return null;
  const answered = performance.now();
  const image = await createImageBitmap(NEAR ? await pixels(response) : await response.blob());
  const ended = performance.now();
  const stages = { ...serverStages(response), show: ended - answered };
  const size = response.headers.get("X-Painted") ?? "";
  return { image, painted: size, ms: ended - began, stages, preview: "short" in how };
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

/** A restarted server has forgotten our photo styles: bring them again. @param {Problem} problem @param {Style} style @param {string} path @param {Sketch} sketch */
async function remembered(problem, style, path, sketch) {
  if (problem.status !== 410) throw problem;
  await style.bring();
  return send(path, sketch.ids.slice());
}

/** Fires "rest" when all is painted, "photograph" (detail: Photograph), "state" (detail: "painting" | "done" | "away" | "wrong"), "problem". */
export class Painter extends EventTarget {
  /** @param {() => Sketch} sketch @param {Style} style */
  constructor(sketch, style) {
    super();
    this.sketch = sketch;
    this.style = style;
    this.client = uniqueName();
    this.wanted = 0;
    this.painted = 0;
    this.previewed = 0;
    this.fullMs = 0;
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
    const quick = this.fullMs > SLOW && this.previewed < version;
    try {
      await this.style.settle(this.sketch());
      const how = { client: this.client, live: true, ...(quick ? { short: PREVIEW_SIDE } : {}) };
      const result = await photograph(this.sketch(), this.style, how);
      if (!result) return;
      this.previewed = version;
      if (!quick) {
        this.painted = version;
        this.fullMs = result.ms;
      }
      this.dispatchEvent(new CustomEvent("photograph", { detail: result }));
    } catch (problem) {
      await this.#suffer(problem, version);
    }
  }

  /** @param {unknown} problem @param {number} version */
  async #suffer(problem, version) {
    if (problem instanceof Problem && problem.status === 0) {
      this.#be("away");
      while (!(await ask("/api/health").catch(() => null))) await pause(RETRY);
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

/** @param {number} ms */
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
