/**
 * One picture, large, and what is known of it.
 *
 * Tells "similar" and "less" (detail: the hit) and "closed" (detail: the index that was shown last).
 */

import { picture } from "./api.js";
import { byId, called, element, isHere, showHere } from "./dom.js";

export class Viewer extends EventTarget {
  /** @type {import("./results.js").Results | null} */
  #results = null;
  #index = 0;
  #dialog = byId("viewer");
  #image = this.#dialog.querySelector("img");
  /** The address of the picture that is shown. */
  #path = "";

  constructor() {
    super();
    const on = (selector, act) => this.#dialog.querySelector(selector).addEventListener("click", act);
    on(".before", () => this.#go(-1));
    on(".after", () => this.#go(1));
    on(".close", () => this.#dialog.close());
    on(".similar", () => this.#leave("similar"));
    on(".less", () => this.#leave("less"));
    on(".copy", () => this.#copy());
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    addEventListener("keydown", (event) => this.#pressed(event)); // wherever the focus is
    this.#dialog.addEventListener("close", () => {
      this.#results?.removeEventListener("change", this.#paint);
      this.dispatchEvent(new CustomEvent("closed", { detail: this.#index }));
    });
    this.#image.addEventListener("load", () => this.#dialog.classList.remove("loading"));
    this.#image.addEventListener("error", () => this.#failed());
  }

  close() {
    this.#dialog.close();
  }

  /** @param {import("./results.js").Results} results @param {number} index */
  open(results, index) {
    this.#results = results;
    this.#index = index;
    results.addEventListener("change", this.#paint);
    this.#paint();
    this.#dialog.showModal();
  }

  #hit() {
    return this.#results?.at(this.#index);
  }

  /** @param {number} step */
  #go(step) {
    const next = this.#index + step;
    if (next < 0 || next >= (this.#results?.count ?? 0)) return;
    this.#index = next;
    this.#results?.want(next, next);
    this.#paint();
  }

  /** An image tells nothing of its error: ask as a program does, which also waits for a busy server. */
  async #failed() {
    if (isHere(this.#image)) {
      this.#lost("The browser cannot read this picture.");
      return;
    }
    const path = this.#path;
    try {
      const found = await picture(path);
      if (this.#path === path) showHere(this.#image, found);
    } catch (error) {
      if (this.#path === path) this.#lost(error.message);
    }
  }

  /** @param {string} problem empty where there is none */
  #lost(problem) {
    this.#dialog.classList.remove("loading");
    this.#image.hidden = Boolean(problem);
    const box = this.#dialog.querySelector(".lost");
    box.hidden = !problem;
    box.querySelector("p").textContent = problem;
  }

  #paint = () => {
    const hit = this.#hit();
    if (!hit || !this.#results) return;
    const name = called(hit);
    this.#dialog.querySelector("h2").textContent = name;
    const place = `${(this.#index + 1).toLocaleString("en")} of ${this.#results.total.toLocaleString("en")}`;
    this.#dialog.querySelector(".place").textContent = hit.score === null ? place : `${place}, score ${hit.score.toFixed(3)}`;
    this.#enable(".before", this.#index > 0);
    this.#enable(".after", this.#index + 1 < this.#results.count);
    this.#dialog.querySelector(".copy span").textContent = "Copy path";
    this.#dialog.querySelector("tbody").replaceChildren(...facts(hit).map(([fact, value]) => row(fact, value)));
    this.#show(hit, name);
  };

  /** Not by `disabled`, which would take the focus away from a button that was just pressed. */
  #enable(selector, enabled) {
    this.#dialog.querySelector(selector).setAttribute("aria-disabled", String(!enabled));
  }

  #show(hit, name) {
    this.#image.alt = name;
    if (this.#path === hit.picture && !this.#image.hidden) return;
    this.#lost("");
    this.#path = hit.picture;
    this.#dialog.classList.add("loading");
    this.#image.width = hit.width ?? 512;
    this.#image.height = hit.height ?? 512;
    this.#image.src = hit.picture;
    const next = this.#results?.at(this.#index + 1);
    if (next) new Image().src = next.picture;
  }

  /** @param {string} name */
  #leave(name) {
    const hit = this.#hit();
    this.#dialog.close();
    if (hit) this.dispatchEvent(new CustomEvent(name, { detail: hit }));
  }

  async #copy() {
    const hit = this.#hit();
    if (!hit) return;
    const said = this.#dialog.querySelector(".copy span");
    try {
      await navigator.clipboard.writeText(pathOf(hit));
      said.textContent = "Copied";
    } catch {
      said.textContent = "The browser forbids it";
    }
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (!this.#dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { ArrowLeft: () => this.#go(-1), ArrowRight: () => this.#go(1), s: () => this.#leave("similar") }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

/** @param {import("./api.js").Hit} hit */
const pathOf = (hit) => hit.source ?? hit.key;

/** @param {import("./api.js").Hit} hit @returns {[string, string][]} */
function facts(hit) {
  const known = Object.entries(hit.metadata).filter(([, value]) => value !== null && value !== "");
  const size = hit.width && hit.height ? [["size", `${hit.width} × ${hit.height}`]] : [];
  const key = hit.source ? [["key", hit.key]] : [];
  return [["path", pathOf(hit)], ...key, ...size, ...known.map(([name, value]) => [name, said(value)])];
}

/** @param {any} value */
function said(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** @param {string} fact @param {string} value */
function row(fact, value) {
  const name = element("th", { scope: "row", textContent: fact, dir: "auto" });
  return element("tr", {}, name, element("td", { textContent: value, dir: "auto" }));
}
