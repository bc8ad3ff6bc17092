/** The page begins here: wait for the server, make the two views, and pass on what concerns both. */

import { model, pause, ready, Refused, store } from "./api.js";
import { ClassifyView } from "./classify_view.js";
import { watchConnection } from "./connection.js";
import { byId, counted } from "./dom.js";
import { noPictures, receive } from "./pictures.js";
import { SearchView } from "./search_view.js";
import { askForToken, useAddress } from "./session.js";

const PATIENCE = 3000; // milliseconds until something is tried again
const LOOKS = 5;
const VIEWS = ["search", "classify"];

/** @returns {string} the view that the address names */
function viewOf() {
  return new URLSearchParams(location.search).get("view") === "classify" ? "classify" : "search";
}

/** @param {string} view */
function showView(view) {
  for (const name of VIEWS) {
    byId(name).hidden = name !== view;
    const link = document.querySelector(`[data-view=${name}]`);
    if (name === view) link?.setAttribute("aria-current", "page");
    else link?.removeAttribute("aria-current");
  }
}

/** @param {boolean} waiting @param {string} [reason] */
function showWaiting(waiting, reason = "") {
  const box = byId("waiting");
  box.hidden = !waiting;
  box.querySelector("p").textContent = reason;
  showView(waiting ? "" : viewOf());
}

/** @param {SearchView} search @param {ClassifyView} classify */
function route(search, classify) {
  const view = viewOf();
  showView(view);
  if (view === "classify") {
    document.title = "Classify · snaplink";
    classify.begin();
  } else search.restore();
}

/** Links between the views, which keep what is searched for. */
function listenToLinks(search, classify) {
  addEventListener("popstate", () => route(search, classify));
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const view = link.dataset.view;
      if (view === viewOf()) return;
      history.pushState(null, "", view === "classify" ? "/?view=classify" : search.address);
      route(search, classify);
      byId("content").focus();
    });
  }
}

/** @param {SearchView} search */
function listenToKeys(search) {
  const help = byId("help");
  byId("help-button").addEventListener("click", () => help.showModal());
  help.querySelector(".close").addEventListener("click", () => help.close());
  addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.matches("input, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "?") help.showModal();
    if (event.key === "/" && viewOf() === "search") {
      event.preventDefault();
      search.focus();
    }
  });
}

/** @typedef {{name: string, rows: number, model: string, demo: boolean}} Facts */

/** @param {Facts} facts */
function showFacts(facts) {
  byId("about").textContent = `${facts.demo ? "Example drawings" : facts.name} · ${counted(facts.rows, "picture")} · ${facts.model}`;
}

/**
 * With a slow model, the example drawings come bit by bit: look until no more have come for a while.
 * @param {number} rows @param {(facts: Facts) => void} more
 */
async function watchExamples(rows, more) {
  for (let looks = 0; looks < LOOKS; looks += 1) {
    await pause(PATIENCE);
    const facts = await store().catch(() => null);
    if (!facts || facts.rows === rows) continue;
    rows = facts.rows;
    looks = 0;
    more(facts);
  }
}

/** @param {Facts} facts */
function introduce(facts) {
  showFacts(facts);
  const note = byId("demo-note");
  note.hidden = !facts.demo;
  note.querySelector("button").addEventListener("click", () => {
    note.hidden = true;
  });
}

async function begin() {
  await ready((reason) => showWaiting(true, reason));
  const [facts, served] = await Promise.all([store(), model()]);
  introduce(facts);
  showWaiting(false);
  const search = new SearchView(facts);
  const classify = new ClassifyView(served, facts.demo);
  const again = () => (viewOf() === "classify" ? classify.again() : search.again());
  listenToLinks(search, classify);
  listenToKeys(search);
  receive(byId("dropping"), async (pictures, others) => {
    const view = viewOf() === "classify" ? classify : search;
    await view.take(pictures);
    if (others.length) view.say(noPictures(others)); // last, since what becomes of pictures is said at the same place
  });
  if (viewOf() === "search") search.begin();
  else route(search, classify);
  if (facts.demo) {
    watchExamples(facts.rows, (newer) => {
      showFacts(newer);
      again();
    });
  }
  return again;
}

/**
 * What keeps the page from beginning is said and tried again, unless the banner or the form see to it.
 * @param {any} error @param {() => void} retry
 */
function failed(error, retry) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 0 || error.status === 401) return null;
  showWaiting(true, error.message);
  setTimeout(retry, PATIENCE);
  return null;
}

/** Begin, and begin anew where signing in or the server's return makes it possible. */
async function main() {
  /** @type {(() => void) | null} */
  let again = null;
  let beginning = false;
  const goOn = async () => {
    if (again) return again();
    if (beginning) return undefined;
    beginning = true;
    again = await begin().catch((error) => failed(error, goOn));
    beginning = false;
    return undefined;
  };
  showView(viewOf());
  askForToken(goOn);
  watchConnection(goOn);
  await useAddress();
  await goOn();
}

main();
