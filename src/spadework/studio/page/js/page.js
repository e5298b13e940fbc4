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
  const toast = $("toast");
  const [head, tail] = [toast.querySelector("b"), toast.querySelector("span")];
  if (head) head.textContent = ended(sentence ?? "Something went wrong in this page");
  if (tail) tail.textContent = ended(remedy ?? "Reload it; your drawing is kept");
  toast.hidden = false;
  if (!sentence) console.error(problem);
}

/** A sentence with a capital and a full stop. @param {string} text */
const ended = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

/** @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(/** @type {HTMLAnchorElement} */ (link).href), 10_000);
}
