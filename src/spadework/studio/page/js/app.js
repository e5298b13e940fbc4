// The studio: the parts above, joined.

import { ask } from "./api.js";
import { Files } from "./files.js";
import { Keeper } from "./keep.js";
import { KeyBrush, listenToKeys, search } from "./keys.js";
import { $, complain, input, whenQuiet } from "./page.js";
import { Painter } from "./painter.js";
import { Palette } from "./palette.js";
import { listenToPointers } from "./pointers.js";
import { Sheet } from "./sheet.js";
import { Shelf } from "./shelf.js";
import { Style } from "./style.js";
import { Tools } from "./tools.js";
import { View, pixelColors } from "./view.js";

/** @typedef {import("./painter.js").Photograph} Photograph */

const FIRST = "alpine-lake";

async function start() {
  const model = await (await ask("/api/model")).json();
  const background = model.classes[0].id;
  const sheet = new Sheet({ ids: new Uint8Array(384 * 256).fill(background), width: 384, height: 256, background });
  const style = new Style();
  style.able = model.styles;
  const palette = new Palette(model.classes);
  const colors = pixelColors(model.classes);
  const view = new View(sheet, colors);
  const painter = new Painter(() => sheet.raster, style);
  const shelf = new Shelf(() => sheet.raster, style, model.photo_styles);
  const files = new Files(sheet, style, shelf, model, colors);
  const tools = new Tools(sheet, view, palette);

  followSheet(sheet, view, palette, painter, shelf);
  style.addEventListener("change", () => painter.changed());
  showPainter(painter, view);
  showHistory(sheet);
  listenToPointers(tools, view);
  new KeyBrush(tools, view);
  listenToKeys(shortcuts(sheet, view, tools, files), tools);
  $("about").textContent = `Model ${model.name}, spadework ${model.version}. Weights: ${model.licence_weights}.`;
  await keep(files, sheet, style, tools, palette);
  Object.assign(globalThis, { studio: { sheet, style, palette, painter, view, files, tools } });
  document.body.dataset.ready = "true";
}

/** @param {Sheet} sheet @param {View} view @param {Palette} palette @param {Painter} painter @param {Shelf} shelf */
function followSheet(sheet, view, palette, painter, shelf) {
  const count = whenQuiet(() => palette.count(sheet.ids), 120);
  sheet.addEventListener("change", () => {
    painter.changed();
    count();
    shelf.paintLater();
  });
}

/** The drawing that this tab had, or an example with a hint. @param {Files} files @param {Sheet} sheet @param {Style} style @param {Tools} tools @param {Palette} palette */
async function keep(files, sheet, style, tools, palette) {
  const keeper = await Keeper.open().catch(() => null);
  const text = await keeper?.read().catch(() => null);
  if (text) await restored(files, text);
  else await files.openExample(FIRST, `/sketches/${FIRST}.png`).then(() => hint(tools, palette), complain);
  let version = 0;
  const save = async () => {
    const now = version;
    await keeper?.write(files.text).catch(() => complain({ sentence: "The browser does not keep this drawing", remedy: "Save the project before you close the page" }));
    document.body.dataset.kept = String(now);
  };
  const soon = whenQuiet(save, 300);
  const touched = () => {
    version += 1;
    document.body.dataset.version = String(version);
    soon();
  };
  sheet.addEventListener("history", touched);
  for (const event of ["change", "settled"]) style.addEventListener(event, touched);
  addEventListener("visibilitychange", () => document.visibilityState === "hidden" && void save());
  touched();
}

/** @param {Files} files @param {string} text */
async function restored(files, text) {
  try {
    files.openProject(text);
  } catch {
    await files.openExample(FIRST, `/sketches/${FIRST}.png`).catch(complain);
  }
}

/** Starts with a class that shows on the example. @param {Tools} tools @param {Palette} palette */
function hint(tools, palette) {
  palette.choose((palette.classes.find(({ name }) => name === "tree") ?? palette.classes[0]).id);
  $("hint").hidden = false;
  tools.addEventListener("drawn", () => ($("hint").hidden = true), { once: true });
}

/** @param {Painter} painter @param {View} view */
function showPainter(painter, view) {
  const say = (/** @type {string} */ text) => ($("state-text").textContent = text);
  let last = "";
  painter.addEventListener("photograph", (event) => {
    const { image, preview, ms, stages } = /** @type {CustomEvent<Photograph>} */ (event).detail;
    view.photograph(image, preview);
    last = `${Math.round(ms)} ms`;
    $("state").title = `${preview ? "Preview" : "Photograph"} after ${last}, of which the model took ${Math.round(stages.paint)} ms`;
  });
  painter.addEventListener("state", (event) => {
    const state = /** @type {CustomEvent<string>} */ (event).detail;
    $("state").dataset.state = state;
    say({ painting: "Painting…", done: last || "Ready", away: "Painter away", wrong: "Not painted" }[state] ?? "");
    if (state === "away") complain({ sentence: "The painter does not answer", remedy: "Go on drawing; the photograph returns when the server is back" });
    else if (state === "done") $("toast").hidden = true;
  });
  painter.addEventListener("problem", (event) => complain(/** @type {CustomEvent} */ (event).detail));
  $("toast").querySelector("button")?.addEventListener("click", () => ($("toast").hidden = true));
}

/** @param {Sheet} sheet */
function showHistory(sheet) {
  const show = () => {
    /** @type {HTMLButtonElement} */ ($("undo")).disabled = sheet.strokes.length === 0;
    /** @type {HTMLButtonElement} */ ($("redo")).disabled = sheet.undone.length === 0;
  };
  sheet.addEventListener("history", show);
  show();
  $("undo").onclick = () => sheet.undo();
  $("redo").onclick = () => sheet.redo();
}

/** @param {Sheet} sheet @param {View} view @param {Tools} tools @param {Files} files */
function shortcuts(sheet, view, tools, files) {
  const help = () => /** @type {HTMLDialogElement} */ ($("help-dialog")).showModal();
  $("help").onclick = help;
  $("theme").onclick = swapTheme;
  return {
    "ctrl+z": () => sheet.undo(),
    "ctrl+shift+z": () => sheet.redo(),
    "ctrl+y": () => sheet.redo(),
    "ctrl+s": () => files.saveProject(),
    "ctrl+o": () => input("file").click(),
    "[": () => tools.resize(0.8),
    "]": () => tools.resize(1.25),
    "/": search,
    "?": help,
    f: () => view.fit(),
    "+": () => view.zoom(1.25),
    "-": () => view.zoom(0.8),
    v: () => view.show(view.mode === "side" ? "over" : "side"),
    d: () => $("dice").click(),
    enter: () => tools.close(),
    escape: () => tools.cancel(),
  };
}

function swapTheme() {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", dataset.theme);
}

start().catch(complain);
