[...document.querySelectorAll("button, input, select, canvas, [role]")].filter((e) =>
  e.checkVisibility() && !(e.ariaLabel || e.getAttribute("aria-labelledby") || e.labels?.length ||
  e.textContent.trim() || e.ariaHidden === "true")).map((e) => e.outerHTML.slice(0, 90))
// ----
(() => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const solid = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * linear(c[0] / 255) + 0.7152 * linear(c[1] / 255) + 0.0722 * linear(c[2] / 255);
  const ground = (e) => {
    const color = solid(getComputedStyle(e).backgroundColor);
    return color[3] > 250 || !e.parentElement ? color : ground(e.parentElement);
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!text || !e.checkVisibility() || e.closest(":disabled, .sr, noscript, select")) continue;
    const [a, b] = [light(solid(getComputedStyle(e).color)), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push([e.outerHTML.slice(0, 80), ratio]);
  }
  return found;
})()
