// The studio of a site without a server: the same page, and a worker instead of a server.

import { service } from "../api.js";
import { $, make } from "../page.js";
import { Desk } from "./desk.js";
import { alone } from "./offline.js";

/** @typedef {import("./desk.js").Told} Told */

const HIDDEN = ["save-layers", "save-psd", "save-film"];  // what only a server makes

/** @param {Desk} desk */
function show(desk) {
  const line = make("p", { id: "fetching" });
  $("photo-pane").append(line);
  desk.addEventListener("told", (event) => {
    const { stage, share, provider, ms } = /** @type {CustomEvent<Told>} */ (event).detail;
    document.body.dataset.network = stage;
    line.textContent = stage === "fetching" ? `Fetching the painter: ${Math.floor(100 * (share ?? 0))} %` : "Preparing the painter…";
    if (stage !== "ready") return;
    line.remove();
    navigator.serviceWorker?.controller?.postMessage("rest");  // what is not needed yet, for visits with the network off
    document.body.dataset.provider = provider;
    $("provider").textContent = `Painted in your browser by ${provider}: a picture of 128 pixels took ${Math.round(ms ?? 0)} ms. Nothing leaves this page.`;
  });
}

async function start() {
  if (await alone(new URL("../../worker.js", import.meta.url))) return;  // the page comes again, with threads
  const desk = new Desk();
  service.ask = (path, options) => desk.ask(path, options);
  service.near = true;
  for (const id of HIDDEN) $(id).classList.add("never");
  $("about").after(make("p", { id: "provider", className: "soft" }));
  show(desk);
  await import("../app.js");
}

void start();
