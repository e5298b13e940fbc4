// The studio: the parts above, joined.

import { ask } from "./api.js";
import { Drawings } from "./drawings.js";
import { Files } from "./files.js";
import { KeyBrush, listenToKeys, search } from "./keys.js";
import { $, complain, dialog, input, press, thumbnail, whenQuiet } from "./page.js";
import { Painter } from "./painter.js";
import { Palette } from "./palette.js";
import { Pictures } from "./pictures.js";
import { LayerPanel } from "./layerpanel.js";
import { picker } from "./picker.js";
import { listenToPointers } from "./pointers.js";
import { Sheet } from "./sheet.js";
import { Shelf } from "./shelf.js";
import { showPainter } from "./status.js";
import { offerStarts, openFirst } from "./starting.js";
import { Style, titleOf } from "./style.js";
import { Tools } from "./tools.js";
import { View, pixelColors } from "./view.js";

/** @typedef {import("./painter.js").Photograph} Photograph */

async function start() {
  const [model] = await (await ask("/v1/models")).json();
  const { classes } = model.palette;
  const background = classes[0].id;
  const sheet = new Sheet({ ids: new Uint8Array(384 * 256).fill(background), width: 384, height: 256, background });
  const style = new Style();
  style.able = model.styles;
  const palette = new Palette(classes);
  const colors = pixelColors(classes);
  const view = new View(sheet, colors);
  const painter = new Painter(() => sheet.raster, style, Math.min(...model.size), () => sheet.lights);
  const shelf = new Shelf(sheet, style, model);
  const files = new Files(sheet, style, shelf, model, colors);
  const tools = new Tools(sheet, view, palette);

  followSheet(sheet, view, palette, painter, shelf);
  style.addEventListener("change", () => painter.changed());
  showPainter(painter, view);
  showHistory(sheet, tools);
  listenToPointers(tools, view, picker(palette));
  new KeyBrush(tools, view);
  new LayerPanel(sheet, tools);
  listenToTabs();
  offerStarts(files, colors);
  listenToKeys(shortcuts(view, sheet, tools, files), tools);
  $("about").textContent = `Model ${model.model}, spadework ${model.version}. Weights: ${model.licence_weights}.`;
  new Pictures({
    rest: () => painter.rest(),
    text: () => files.text,
    title: () => `${files.name}, ${titleOf(style.mood)}`,
    open: (text, title) => files.openProject(text, title),
  });
  const drawings = new Drawings(desk(files, sheet, style, tools, palette));
  if (!(await restored(drawings))) await openFirst(files).then(() => hint(palette, tools), complain);
  keep(drawings, files, sheet, style, painter);
  Object.assign(globalThis, { studio: { sheet, style, palette, painter, view, files, tools, drawings } });
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

/** What is kept of a drawing. @param {Files} files @param {Sheet} sheet @param {Style} style @param {Tools} tools @param {Palette} palette @returns {import("./drawings.js").Desk} */
function desk(files, sheet, style, tools, palette) {
  return {
    text: () => files.text,
    face: () => thumbnail($("photo").dataset.painted ? "photo" : "sketch"),
    hand: () => ({ ...tools.hand, id: palette.chosen }),
    untouched: () => !sheet.strokes.length && !sheet.undone.length && !sheet.current && !sheet.moving && !style.chosen,
    open: (text) => files.restore(text),
    get title() { return files.name; },
    set title(title) { files.name = title; },
    take(hand) {
      palette.choose(hand.id);
      tools.take(hand);
    },
  };
}

/** @param {Drawings} drawings @param {Files} files @param {Sheet} sheet @param {Style} style @param {Painter} painter */
function keep(drawings, files, sheet, style, painter) {
  files.turn = (fresh) => drawings.turn(fresh);
  for (const event of ["history", "layers"]) sheet.addEventListener(event, () => drawings.touched());
  for (const event of ["change", "settled"]) style.addEventListener(event, () => drawings.touched());
  painter.addEventListener("photograph", () => drawings.soon());
  drawings.touched();
}

/** Whether this tab goes on with a drawing that was kept. @param {Drawings} drawings */
async function restored(drawings) {
  const kept = await drawings.begin();
  try {
    if (kept) drawings.lay(kept);
  } catch {
    await drawings.leave();
    return false;
  }
  if (kept?.hand) drawings.desk.take(kept.hand);
  return kept !== null;
}

/** Starts with a class that shows on the example. @param {Palette} palette @param {Tools} tools */
function hint(palette, tools) {
  palette.choose((palette.classes.find(({ name }) => name === "tree") ?? palette.classes[0]).id);
  $("hint").hidden = false;
  tools.addEventListener("drawn", () => ($("hint").hidden = true), { once: true });
}

/** @param {Sheet} sheet @param {Tools} tools */
function showHistory(sheet, tools) {
  const show = () => {
    /** @type {HTMLButtonElement} */ ($("undo")).disabled = sheet.strokes.length === 0;
    /** @type {HTMLButtonElement} */ ($("redo")).disabled = sheet.undone.length === 0;
  };
  sheet.addEventListener("history", show);
  show();
  $("undo").onclick = () => tools.undo();
  $("redo").onclick = () => sheet.redo();
}

/** @param {View} view @param {Sheet} sheet @param {Tools} tools @param {Files} files */
function shortcuts(view, sheet, tools, files) {
  const help = () => dialog("help").showModal();
  $("help").onclick = help;
  $("theme").onclick = swapTheme;
  return {
    "ctrl+z": () => tools.undo(),
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
    m: () => tools.reflect(!tools.mirror),
    enter: () => tools.close(),
    escape: () => tools.cancel(),
  };
}

/** In a small window one panel is open at a time. */
function listenToTabs() {
  const names = ["draw", "classes", "style"];
  for (const name of names) {
    $(`tab-${name}`).onclick = () => {
      document.body.dataset.panel = name;
      for (const other of names) press($(`tab-${other}`), other === name);
    };
  }
}

function swapTheme() {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", dataset.theme ?? "");
  } catch {
    // for this visit only
  }
}

start().catch(complain);
