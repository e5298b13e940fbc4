// The networks, in onnxruntime: on the graphics processor where that is faster, else on the threads that the page may have.

import { channels, contexts } from "./contexts.js";
import { Table } from "./table.js";
import { whole } from "./parts.js";
import { Twister } from "./random.js";

/** @typedef {import("./parts.js").Entry} Entry */
/** @typedef {import("./styles.js").Sketch} Sketch */
/** @typedef {import("./sizes.js").Generator & {kernel: number, label_padding: string, noise: boolean, grids: number[], blocks: number[]}} Generator `grids`: pixels per cell, the smallest grid first; `blocks`: the same of every block */
/** @typedef {{generator: Generator, semantics: import("./contexts.js").Semantics, noise_seed: number, files: Record<string, Entry>, ort: {wasm: string[], webgpu: string[] | null}}} Facts */

const TRIAL = 128;  // pixels a side of the picture by which providers are measured
const MOST_THREADS = 4;

/** @typedef {{labels: any, session: any, ort: any, provider: string, ms: number, tables: Table[]}} Runner `labels` makes rows of tables, `session` paints with them */

export class Network {
  /** @param {Facts} facts @param {(told: {stage: string, share?: number, provider?: string, ms?: number}) => void} tell */
  constructor(facts, tell) {
    this.facts = facts;
    this.tell = tell;
    /** @type {Promise<Runner> | null} */
    this.painter = null;
    /** @type {Map<string, Promise<any>>} */
    this.others = new Map();
  }

  /** Ready to paint; the first call fetches and measures. @returns {Promise<Runner>} */
  ready() {
    this.painter ??= this.#begin().catch((error) => {
      this.painter = null;  // the next picture tries again
      throw error;
    });
    return this.painter;
  }

  async #begin() {
    const { files, ort: builds } = this.facts;
    const weights = this.#fetched();
    const wanted = new URLSearchParams(location.search).get("painter");
    const gpu = wanted !== "wasm" && builds.webgpu && (await adapter());
    const [build, wasm] = gpu && builds.webgpu ? [builds.webgpu, files.webgpu] : [builds.wasm, files.wasm];
    const [ort, model] = await Promise.all([opened(build, whole(wasm)), weights]);
    this.tell({ stage: "preparing" });
    const threads = ort.env.wasm.numThreads;
    const plain = await this.#runner(ort, model, "wasm", threads === 1 ? "one thread" : `${threads} threads`);
    const fast = gpu ? await this.#runner(ort, model, "webgpu", "WebGPU").catch(unable) : null;
    const [chosen, other] = fast && (wanted === "webgpu" || fast.ms < plain.ms) ? [fast, plain] : [plain, fast];
    await Promise.all([other?.labels.release(), other?.session.release()]);
    this.tell({ stage: "ready", provider: chosen.provider, ms: chosen.ms });
    return chosen;
  }

  /** The two files of the painter, and how much of them is there. */
  #fetched() {
    const names = ["tables", "painter"];
    const shares = [0, 0];
    const total = names.reduce((sum, name) => sum + this.facts.files[name].bytes, 0);
    return Promise.all(names.map((name, n) => whole(this.facts.files[name], (share) => {
      shares[n] = share * this.facts.files[name].bytes;
      this.tell({ stage: "fetching", share: (shares[0] + shares[1]) / total });
    })));
  }

  /** A session, and how long its second small picture takes. @param {any} ort @param {Uint8Array[]} models @param {string} name @param {string} provider @returns {Promise<Runner>} */
  async #runner(ort, models, name, provider) {
    const how = { executionProviders: [name], logSeverityLevel: 3 };  // errors
    const labels = await ort.InferenceSession.create(models[0], how);
    const session = await ort.InferenceSession.create(models[1], how);  // WebGPU makes one at a time
    const tables = this.facts.generator.grids.map(() => new Table());
    const runner = { labels, session, ort, provider, ms: Infinity, tables };
    const sketch = { ids: new Uint8Array(TRIAL * TRIAL), width: TRIAL, height: TRIAL };
    const z = new Float32Array(session.inputMetadata?.find((/** @type {any} */ { name }) => name === "z")?.shape[1] ?? 1);
    for (let trial = 0; trial < 2; trial++) {
      const began = performance.now();
      await this.#run(runner, sketch, 0, z);
      runner.ms = performance.now() - began;
    }
    return runner;
  }

  /** RGBA of a sketch whose sides the network takes. @param {Sketch} sketch @param {number} seed @param {Float32Array} z */
  async paint(sketch, seed, z) {
    return bytes(await this.#run(await this.ready(), sketch, seed, z), sketch.width * sketch.height);
  }

  /** @param {Runner} runner @param {Sketch} sketch @param {number} seed @param {Float32Array} z @returns {Promise<Float32Array>} */
  async #run({ labels, session, ort, tables }, sketch, seed, z) {
    const { Tensor } = ort;
    const feeds = { z: new Tensor("float32", z, [1, z.length]), ...noise(this.facts, sketch, seed, Tensor) };
    Object.assign(feeds, await this.#labels(labels, tables, sketch, Tensor));
    const { picture } = await session.run(feeds);
    return picture.getData ? picture.getData() : picture.data;
  }

  /** What the labels do: rows of tables, of which only new ones are computed, and which row every pixel has. @param {any} session @param {Table[]} tables @param {Sketch} sketch @param {any} Tensor */
  async #labels(session, tables, { ids, width, height }, Tensor) {
    const { generator, semantics } = this.facts;
    const radius = 2 * (generator.kernel >> 1);
    const side = 2 * radius + 1;
    const outside = generator.label_padding === "replicate" ? null : semantics.label_nc + (semantics.unknown ? 1 : 0);
    /** @type {Record<string, any>[]} */
    const [asked, feeds] = [{}, {}];
    const grids = generator.grids.map((step, n) => {
      const found = tables[n].look(contexts(channels(ids, width, step, semantics), width / step, radius, outside));
      feeds[`index_${n}`] = new Tensor("int32", found.index, [height / step, width / step]);
      asked[`contexts_${n}`] = new Tensor("int32", found.patches, [found.patches.length / side ** 2, side, side]);
      return found;
    });
    if (grids.some(({ fresh }) => fresh)) {
      const made = await session.run(asked).catch((/** @type {unknown} */ error) => {
        for (const table of tables) table.forget();
        throw error;
      });
      for (const [n, { fresh }] of grids.entries()) tables[n].add(made[`table_${n}`].data, fresh);
    }
    for (const [n, table] of tables.entries()) feeds[`table_${n}`] = new Tensor("float32", table.rows, [table.count, table.width]);
    return feeds;
  }

  /**
   * What another network makes, which is fetched when it is first asked for: the encoder, the segmenter, the enlarger.
   * @param {string} name @param {Record<string, {data: Float32Array | BigInt64Array | Uint8Array, dims: number[]}>} feeds @returns {Promise<Record<string, Float32Array>>}
   */
  async run(name, feeds) {
    const { ort } = await this.ready();
    if (!this.others.has(name)) this.others.set(name, this.#opened(ort, name));
    const session = await this.others.get(name);
    const types = { Float32Array: "float32", BigInt64Array: "int64", Uint8Array: "uint8" };
    const tensors = Object.entries(feeds).map(([key, { data, dims }]) => [key, new ort.Tensor(types[/** @type {keyof types} */ (data.constructor.name)], data, dims)]);
    const made = await session.run(Object.fromEntries(tensors));
    return Object.fromEntries(Object.entries(made).map(([key, { data }]) => [key, data]));
  }

  /** @param {any} ort @param {string} name */
  async #opened(ort, name) {
    try {
      return await ort.InferenceSession.create(await whole(this.facts.files[name]), { executionProviders: ["wasm"], logSeverityLevel: 3 });
    } catch (error) {
      this.others.delete(name);  // the next time tries again
      throw error;
    }
  }
}

/** Normal fields for every block. @param {Facts} facts @param {Sketch} sketch @param {number} seed @param {any} Tensor */
function noise({ generator, noise_seed }, { width, height }, seed, Tensor) {
  if (!generator.noise) return {};
  const twister = new Twister((seed ^ noise_seed) >>> 0);
  return Object.fromEntries(generator.blocks.map((step, n) => {
    const [w, h] = [width / step, height / step];
    return [`noise_${n}`, new Tensor("float32", twister.normals(w * h), [1, 1, h, w])];
  }));
}

/** (3, h, w) in [-1, 1] -> RGBA, cut off as the engine does. @param {Float32Array} picture @param {number} count of pixels */
export function bytes(picture, count) {
  const pixels = new Uint8Array(4 * count).fill(255);
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < count; i++) {
      const value = ((picture[channel * count + i] + 1) / 2) * 255;
      pixels[4 * i + channel] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
  }
  return pixels;
}

/** @param {string[]} build the module to import, and the one that it imports @param {Promise<Uint8Array<ArrayBuffer>>} wasm */
async function opened([main, loader], wasm) {
  const place = (/** @type {string} */ name) => new URL(`../../ort/${name}`, import.meta.url).href;
  const ort = await import(place(main));
  ort.env.wasm.wasmPaths = { mjs: place(loader) };
  ort.env.wasm.wasmBinary = (await wasm).buffer;
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
  return ort;
}

/** @param {unknown} error */
function unable(error) {
  console.info("WebGPU does not paint here:", error);
  return null;
}

/** Whether there is a graphics processor to try. */
async function adapter() {
  const { gpu } = /** @type {any} */ (navigator);
  return Boolean(await gpu?.requestAdapter().catch(() => null));
}
