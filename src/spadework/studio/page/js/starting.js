// Something to start with: example sketches, and six that are composed anew at every click.

import { ask, query } from "./api.js";
import { $, attempt, dialog, make } from "./page.js";
import { sketchOf } from "./runs.js";
import { randomSeed } from "./style.js";
import { drawIds } from "./view.js";

/** @typedef {import("./files.js").Files} Files */

const FIRST = "Alpine lake";

/** Those that ship. @returns {Promise<{title: string, url: string}[]>} */
const examples = async () => (await ask("/v1/sketches")).json();

/** The one that a first visit shows. @param {Files} files */
export async function openFirst(files) {
  const all = await examples();
  const { title, url } = all.find(({ title }) => title === FIRST) ?? all[0];
  await files.openExample(title, url);
}

/** @param {Files} files @param {Uint32Array} colors */
export function offerStarts(files, colors) {
  $("examples").onclick = () => void attempt(async () => {
    dialog("examples").showModal();
    await Promise.all([$("example-list").children.length ? null : showExamples(files), compose(files, colors)]);
  });
  $("compose").onclick = () => void attempt(() => compose(files, colors));
}

/** @param {Files} files */
async function showExamples(files) {
  for (const { title, url } of await examples()) {
    $("example-list").append(card(title, make("img", { src: url, alt: "" }), () => files.openExample(title, url)));
  }
}

/** @param {Files} files @param {Uint32Array} colors */
async function compose(files, colors) {
  const starts = await (await ask(`/v1/sketches/composed?${query({ seed: randomSeed() })}`)).json();
  $("start-list").replaceChildren(...starts.map((/** @type {any} */ { title, runs }) => {
    const sketch = sketchOf(runs);
    const face = /** @type {HTMLCanvasElement} */ (make("canvas"));
    drawIds(face, sketch, colors);
    return card(title, face, () => files.start(sketch, title, true));
  }));
  $("starts").hidden = starts.length === 0;
}

/** @param {string} title @param {HTMLElement} face @param {() => unknown} open */
function card(title, face, open) {
  const button = make("button", { className: "card" }, face, make("span", { textContent: title }));
  button.onclick = () => {
    dialog("examples").close();
    void attempt(open);
  };
  return button;
}
