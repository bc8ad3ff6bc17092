/** Searching: what is asked, where it stands in the address, what comes back. */

import { Refused } from "./api.js";
import { showChips } from "./chips.js";
import { conditionOf } from "./condition.js";
import { byId, called, counted, quietly } from "./dom.js";
import { FilterForm } from "./filters.js";
import { Grid } from "./grid.js";
import { given } from "./pictures.js";
import { allParts, emptyQuery, fromParams, toParams } from "./query.js";
import { Results } from "./results.js";
import { showSuggestions } from "./suggestions.js";
import { Viewer } from "./viewer.js";

/** @typedef {import("./query.js").Query} Query */
/** @typedef {import("./query.js").Part} Part */

const TYPING = 140; // milliseconds of quiet after which words are searched for

export class SearchView {
  /** @type {Query} */
  #query = emptyQuery();
  /** @type {Results | null} */
  #results = null;
  #stop = new AbortController();
  /** @type {Map<string, import("./pictures.js").Given>} by address; kept, since the history may lead back to them */
  #uploads = new Map();
  /** @type {Map<string, import("./chips.js").Shown>} what rows in the query look like */
  #rows = new Map();
  #typing = false;
  #words = byId("words");
  #said = byId("said");
  #grid = new Grid(byId("grid"));
  #viewer = new Viewer();
  #filters;
  #store;

  /** @param {Awaited<ReturnType<typeof import("./api.js").store>>} store */
  constructor(store) {
    this.#store = store;
    this.#filters = new FilterForm(byId("filters"), store.columns, store.modalities);
    this.#filters.addEventListener("change", () => this.#change({ ...this.#filters.choice }));
    this.#listenToWords();
    this.#listenToPictures();
    const toggle = byId("filters-button");
    toggle.addEventListener("click", () => this.#openFilters(byId("filters").hidden));
    showSuggestions(byId("suggestions"), store.demo, (words) => this.#change({ draft: words, parts: [] }));
  }

  /** Take the query from the address, or from the history, which knows of uploaded pictures, too. */
  restore() {
    const kept = history.state?.query;
    this.#query = kept ?? fromParams(new URLSearchParams(location.search));
    this.#query.parts = this.#query.parts.filter((part) => part.kind !== "upload" || this.#uploads.has(part.value));
    this.#typing = false;
    this.#words.value = this.#query.draft;
    this.#filters.show(this.#query);
    if (this.#filters.size) this.#openFilters(true);
    this.#paint();
    this.#run();
  }

  /** The first time: words that somebody has typed before the page was ready count. */
  begin() {
    const typed = this.#words.value;
    this.restore();
    if (typed) this.#change({ draft: typed }, true);
    if (document.activeElement === document.body) this.#words.focus();
  }

  /** Ask the same once more, and stay at the place. */
  again() {
    this.#paint();
    this.#run(true);
  }

  /** Ends when what they find is shown. @param {File[]} files */
  async take(files) {
    this.#viewer.close();
    const parts = await Promise.all(files.map((file) => this.#uploaded(file)));
    await this.#change({ parts: [...this.#query.parts, ...parts] });
  }

  /** @param {string} message */
  say(message) {
    this.#said.textContent = message;
  }

  focus() {
    this.#words.focus();
    this.#words.select();
  }

  /** The part of the address that belongs to this view. */
  get address() {
    return `?${toParams(this.#query)}`.replace(/\?$/, "/");
  }

  #listenToWords() {
    const soon = quietly(TYPING, () => this.#change({ draft: this.#words.value }, true));
    this.#words.addEventListener("input", soon);
    this.#words.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      this.#grid.focus(0);
    });
    byId("asking").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#change({ draft: this.#words.value });
      this.#words.select();
    });
    byId("add-words").addEventListener("click", () => {
      const draft = this.#words.value;
      this.#words.value = "";
      this.#change({ draft: "", parts: allParts({ ...this.#query, draft }) });
      this.#words.focus();
    });
  }

  #listenToPictures() {
    const file = byId("picture-file");
    byId("choose-picture").addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      if (file.files.length) this.take([...file.files]);
      file.value = "";
    });
    this.#grid.addEventListener("open", ({ detail }) => this.#viewer.open(this.#results, detail));
    this.#grid.addEventListener("similar", ({ detail }) => this.#similar(this.#results.at(detail)));
    this.#grid.addEventListener("leave", () => this.focus());
    this.#viewer.addEventListener("closed", ({ detail }) => this.#grid.focus(detail));
    this.#viewer.addEventListener("similar", ({ detail }) => this.#similar(detail));
    this.#viewer.addEventListener("less", ({ detail }) => this.#less(detail));
  }

  /** @param {import("./api.js").Hit} hit which, if it was wanted, no longer is: the two would cancel out */
  #less(hit) {
    const others = this.#query.parts.filter((part) => part.kind !== "row" || part.value !== hit.id);
    this.#change({ parts: [...others, this.#row(hit, -1)] });
  }

  /** @param {import("./api.js").Hit} hit */
  #similar(hit) {
    this.#change({ draft: "", parts: [this.#row(hit, 1)] });
    scrollTo(0, 0);
  }

  /** @returns {Part} */
  #row(hit, weight) {
    this.#rows.set(hit.id, { name: called(hit), url: `${hit.thumbnail}?side=64` });
    return { kind: "row", value: hit.id, weight };
  }

  /** @param {File} file @returns {Promise<Part>} */
  async #uploaded(file) {
    const name = file.name && file.name !== "image.png" ? file.name : "your picture";
    const upload = await given(file, name);
    this.#uploads.set(upload.url, upload);
    return { kind: "upload", value: upload.url, weight: 1 };
  }

  /**
   * The query becomes another. Words that grow are one step in the history, everything else is a step each.
   * @param {Partial<Query>} change @param {boolean} [typing]
   */
  async #change(change, typing = false) {
    const before = JSON.stringify(this.#query);
    this.#query = { ...this.#query, ...structuredClone(change) };
    if (JSON.stringify(this.#query) === before) return;
    const write = typing && this.#typing ? "replaceState" : "pushState";
    this.#typing = typing;
    history[write]({ query: this.#query }, "", this.address);
    if (this.#words.value !== this.#query.draft) this.#words.value = this.#query.draft;
    this.#paint();
    await this.#run();
  }

  #paint() {
    const { parts, draft } = this.#query;
    showChips(byId("chips"), parts, (part) => this.#shown(part), (changed) => this.#change({ parts: changed }));
    byId("add-words").hidden = !draft.trim();
    const bare = !allParts(this.#query).length;
    byId("suggestions").hidden = !(this.#store.demo && (bare || !parts.length));
    const filtered = this.#filters.size;
    byId("filters-count").textContent = filtered || "";
    byId("filters-count").hidden = !filtered;
    document.title = [draft.trim(), "snaplink"].filter(Boolean).join(" · ");
  }

  /** @param {Part} part */
  #shown(part) {
    if (part.kind === "words") return { name: part.value };
    const known = part.kind === "row" ? this.#rows.get(part.value) : this.#uploads.get(part.value);
    return known ?? { name: "a picture", url: `/v1/pictures/${encodeURIComponent(part.value)}/thumbnail?side=64` };
  }

  #asked() {
    return allParts(this.#query).map((part) => {
      if (part.kind === "words") return { text: part.value, weight: part.weight };
      if (part.kind === "row") return { id: part.value, weight: part.weight };
      return { image: this.#uploads.get(part.value)?.data, weight: part.weight };
    });
  }

  #request() {
    const { filters, where, dedupe, modality } = this.#query;
    const condition = where || conditionOf(filters);
    return { query: this.#asked(), ...(condition && { where: condition }), ...(dedupe && { dedupe }), ...(modality !== "image" && { modality }) };
  }

  /** An answer that comes after a newer question is dropped. */
  async #run(stay = false) {
    this.#stop.abort();
    const stop = (this.#stop = new AbortController());
    const results = new Results(this.#request());
    const grid = byId("grid");
    grid.setAttribute("aria-busy", "true");
    try {
      await results.begin(stop.signal);
      this.#show(results, stay);
    } catch (error) {
      if (!stop.signal.aborted) this.#failed(error);
    } finally {
      if (this.#stop === stop) grid.setAttribute("aria-busy", "false");
    }
  }

  /** @param {Results} results @param {boolean} stay */
  #show(results, stay) {
    if (stay && this.#results) results.reachAsFarAs(this.#results);
    this.#results?.close();
    this.#results = results;
    results.addEventListener("stale", () => this.again());
    results.addEventListener("failed", (event) => this.#failed(/** @type {CustomEvent} */ (event).detail));
    const top = byId("search").getBoundingClientRect().top;
    if (top < 0 && !stay) scrollBy(0, top - 80);
    this.#grid.show(results, stay);
    const best = results.best === null ? "" : `, best ${results.best.toFixed(2)}`;
    this.#said.textContent = counted(results.total, "picture") + best;
    if (results.total) this.#nothing(null);
    else if (this.#store.rows) this.#nothing({ title: "No picture fits", text: "Try other words, or fewer filters." });
    else this.#nothing({ title: "The store is empty", text: "Put pictures into it with snaplink embed: they will show up here." });
  }

  /** @param {any} error */
  #failed(error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 0 || error.status === 401) return; // the banner and the form say so
    this.#results?.close();
    this.#results = new Results(this.#request());
    this.#grid.show(this.#results);
    this.#said.textContent = "";
    this.#nothing({ title: error.status === 410 ? "The store has changed" : "That did not work", text: error.message });
  }

  /** @param {{title: string, text: string} | null} said */
  #nothing(said) {
    const box = byId("nothing");
    box.hidden = !said;
    if (!said) return;
    box.querySelector("h2").textContent = said.title;
    box.querySelector("p").textContent = said.text;
    const button = box.querySelector("button");
    button.hidden = !this.#store.rows;
    button.textContent = "Show all pictures";
    button.onclick = () => {
      this.#filters.show(emptyQuery());
      this.#change(emptyQuery());
    };
  }

  /** @param {boolean} open */
  #openFilters(open) {
    byId("filters").hidden = !open;
    byId("filters-button").setAttribute("aria-expanded", String(open));
  }
}
