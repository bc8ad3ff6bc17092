/** A quiet line that says when the server is gone or busy. */

import { server } from "./api.js";
import { byId } from "./dom.js";

/** @param {() => void} back called when the server is there again */
export function watchConnection(back) {
  const banner = byId("banner");
  let timer = 0;
  const say = (/** @type {string} */ text) => {
    clearTimeout(timer);
    if (banner.textContent !== text) banner.textContent = text; // the same is not announced again
    banner.hidden = !text;
  };
  server.addEventListener("gone", () => say("The server does not answer. Trying again…"));
  server.addEventListener("starting", () => say("The server is starting. One moment…"));
  server.addEventListener("back", () => {
    say("");
    back();
  });
  server.addEventListener("busy", (event) => {
    const seconds = /** @type {CustomEvent} */ (event).detail;
    say("The server has a lot to do. Trying again…");
    timer = setTimeout(() => say(""), seconds * 1000);
  });
}
