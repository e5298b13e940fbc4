// Small words for the page.

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
export function $(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (element);
}

/** @param {string} id @returns {HTMLInputElement} */
export const input = (id) => $(id);

/** @param {string} id @returns {HTMLCanvasElement} */
export const canvas = (id) => $(id);

/**
 * An element with properties and children.
 * @param {string} tag @param {Record<string, any>} [properties] @param {(Node | string)[]} children
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) /** @type {any} */ (element)[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A small picture of a canvas, as a URL. @param {string} id */
export function thumbnail(id) {
  const [from, face] = [canvas(id), make("canvas", { width: 192, height: 128 })];
  cover(/** @type {HTMLCanvasElement} */ (face), from, from.width / from.height);
  return /** @type {HTMLCanvasElement} */ (face).toDataURL("image/jpeg", 0.8);
}

/**
 * Draw an image, stretched to its true aspect, so that it covers a canvas.
 * @param {HTMLCanvasElement} face @param {CanvasImageSource} image @param {number} aspect
 */
export function cover(face, image, aspect) {
  const w = Math.max(face.width, face.height * aspect);
  const h = w / aspect;
  face.getContext("2d")?.drawImage(image, (face.width - w) / 2, (face.height - h) / 2, w, h);
  face.dataset.painted = "true";
}

/** @param {HTMLElement} button @param {boolean} on */
export const press = (button, on) => button.setAttribute("aria-pressed", String(on));

/** Run at most once per frame. @param {() => void} work */
export function perFrame(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      work();
    });
  };
}

/** Run when calls have ceased for a while. @param {() => void} work @param {number} ms */
export function whenQuiet(work, ms) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}

/** A name that nothing else has. Plain http has no crypto.randomUUID. */
export const uniqueName = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16).padStart(8, "0")).join("");

/** As people read it. @param {number} part of 1 */
export const share = (part) => (part < 0.01 ? "<1%" : `${Math.round(100 * part)}%`);

let jobs = 0;

/** Do what a person asked for. Meanwhile the page says that it is at work; a failure becomes a sentence. @param {() => unknown} job */
export async function attempt(job) {
  document.body.dataset.working = String(++jobs);
  try {
    await job();
  } catch (problem) {
    complain(problem);
  }
  if (--jobs === 0) delete document.body.dataset.working;
}

/** @param {unknown} problem */
export function complain(problem) {
  const { sentence, remedy } = /** @type {any} */ (problem);
  say("problem", ended(sentence ?? "Something went wrong in this page"), ended(remedy ?? "Reload it; your drawing is kept"));
  if (!sentence) console.error(problem);
}

const NOTE = 8000;  // ms that a note stays
const hideLater = whenQuiet(() => { if ($("toast").dataset.kind === "note") $("toast").hidden = true; }, NOTE);

/** Something was done, and may be undone. @param {string} text @param {string} label @param {() => unknown} act */
export function note(text, label, act) {
  say("note", ended(text), "");
  $("toast-act").textContent = label;
  $("toast-act").hidden = false;
  $("toast-act").onclick = () => {
    $("toast").hidden = true;
    void attempt(act);
  };
  hideLater();
}

/** Where it can be seen: nothing outside of an open dialog can. @param {string} kind @param {string} head @param {string} tail */
function say(kind, head, tail) {
  const toast = $("toast");
  const open = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (toast.parentElement !== (open ?? document.body)) (open ?? document.body).append(toast);
  toast.dataset.kind = kind;
  $("toast-act").hidden = true;
  $("toast-head").textContent = head;
  $("toast-tail").textContent = tail;
  toast.hidden = false;
}

addEventListener("close", () => document.body.append($("toast")), true);  // not away with its dialog

/** @param {string} name @returns {HTMLDialogElement} */
export const dialog = (name) => $(`${name}-dialog`);

/** A sentence with a capital and a full stop. @param {string} text */
const ended = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

/** @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(/** @type {HTMLAnchorElement} */ (link).href), 10_000);
}
