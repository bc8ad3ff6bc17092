/**
 * A grid of as many pictures as there are, of which only those near the window exist: their tiles are used again.
 *
 * Tells "open" and "similar" (detail: the index) and "leave" (upwards, out of the grid).
 */

import { picture } from "./api.js";
import { called, copyOf, isHere, showHere } from "./dom.js";

const SPARE = 2;
const TALLEST = 15_000_000; // pixels: browsers cannot scroll much further
const SMALL = 128;
const KEYS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);

export class Grid extends EventTarget {
  /** @type {Map<number, HTMLLIElement>} */
  #tiles = new Map();
  /** @type {HTMLLIElement[]} */
  #unused = [];
  /** @type {import("./results.js").Results | null} */
  #results = null;
  #columns = 1;
  #row = 1;
  #current = 0;
  /** @type {Set<string>} ids of pictures that cannot be shown */
  #lost = new Set();
  #painting = false;
  #list;

  /** @param {HTMLUListElement} list */
  constructor(list) {
    super();
    this.#list = list;
    new ResizeObserver(() => this.#measure()).observe(list);
    addEventListener("scroll", () => this.#soon(), { passive: true });
    addEventListener("resize", () => this.#soon());
    list.addEventListener("click", (event) => this.#clicked(event));
    list.addEventListener("keydown", (event) => this.#pressed(event));
    list.addEventListener("focusin", (event) => this.#focused(event));
  }

  /**
   * Pictures that are there already stay in their tiles, so that they do not flicker while somebody types.
   * @param {import("./results.js").Results} results
   * @param {boolean} [stay] where the reader is, since these are hardly others
   */
  show(results, stay = false) {
    const focused = this.#list.contains(document.activeElement);
    this.#results = results;
    this.#lost.clear();
    if (!stay) this.#current = 0;
    for (const index of [...this.#tiles.keys()]) this.#release(index);
    results.addEventListener("change", () => this.#measure());
    this.#measure();
    if (focused) this.focus(this.#current);
  }

  /** @param {number} index */
  focus(index) {
    if (!this.#length()) return;
    this.#current = Math.max(0, Math.min(index, this.#length() - 1));
    this.#reveal(this.#current);
    this.#paint();
    this.#tiles.get(this.#current)?.querySelector("button")?.focus({ preventScroll: true });
  }

  #length() {
    const most = Math.floor(TALLEST / this.#row) * this.#columns;
    return Math.min(this.#results?.count ?? 0, most);
  }

  #measure() {
    const style = getComputedStyle(this.#list);
    const gap = parseFloat(style.getPropertyValue("--gap"));
    const least = parseFloat(style.getPropertyValue("--least"));
    const below = parseFloat(style.getPropertyValue("--below"));
    const width = this.#list.clientWidth;
    this.#columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
    const side = (width - gap * (this.#columns - 1)) / this.#columns;
    this.#row = side + below + gap;
    this.#list.style.setProperty("--side", `${side}px`);
    this.#list.style.height = `${Math.ceil(this.#length() / this.#columns) * this.#row}px`;
    this.#paint();
  }

  #soon() {
    if (this.#painting) return;
    this.#painting = true;
    requestAnimationFrame(() => {
      this.#painting = false;
      this.#paint();
    });
  }

  /** The first and the last index that should exist now. */
  #range() {
    const above = -this.#list.getBoundingClientRect().top;
    const first = Math.floor(above / this.#row) - SPARE;
    const last = Math.ceil((above + innerHeight) / this.#row) + SPARE;
    const length = this.#length();
    const clamp = (/** @type {number} */ row) => Math.max(0, Math.min(row * this.#columns, length));
    return [clamp(first), clamp(last) - 1];
  }

  #paint() {
    if (!this.#results) return;
    const [first, last] = this.#range();
    for (const index of [...this.#tiles.keys()]) {
      const out = index < first || index > last;
      if (out && (index >= this.#length() || !this.#hasFocus(index))) this.#release(index);
    }
    for (let index = last; index >= first; index -= 1) this.#place(index);
    if (last >= first) this.#results.want(first, last);
    this.#rove();
  }

  /** @param {number} index */
  #hasFocus(index) {
    return this.#tiles.get(index)?.contains(document.activeElement) ?? false;
  }

  /** @param {number} index */
  #release(index) {
    const tile = this.#tiles.get(index);
    if (!tile) return;
    this.#tiles.delete(index);
    tile.remove();
    this.#unused.push(tile);
  }

  /** Put the tile where it belongs, also in the document, where a screen reader follows the order. */
  #place(index) {
    let tile = this.#tiles.get(index);
    if (!tile) {
      tile = this.#free(this.#results?.at(index)?.id);
      this.#tiles.set(index, tile);
      tile.dataset.index = String(index);
      tile.setAttribute("aria-posinset", String(index + 1));
      this.#list.insertBefore(tile, this.#tiles.get(index + 1) ?? null);
    }
    tile.setAttribute("aria-setsize", String(this.#results?.total ?? -1));
    tile.style.setProperty("--column", String(index % this.#columns));
    tile.style.setProperty("--y", `${Math.floor(index / this.#columns) * this.#row}px`);
    this.#fill(tile, index);
  }

  /** @param {string | undefined} id of the picture that a tile should show already, if there is such a one */
  #free(id) {
    const same = this.#unused.findIndex((tile) => id && tile.dataset.id === id && tile.classList.contains("there"));
    return same < 0 ? this.#unused.shift() ?? this.#made() : this.#unused.splice(same, 1)[0];
  }

  #made() {
    /** @type {HTMLLIElement} */
    const tile = copyOf("tile-template");
    const image = /** @type {HTMLImageElement} */ (tile.querySelector("img"));
    image.addEventListener("load", () => tile.classList.add("there"));
    image.addEventListener("error", () => this.#failed(tile, image));
    return tile;
  }

  /** An image tells nothing of its error: ask as a program does, which also waits for a busy server. */
  async #failed(tile, image) {
    const { id } = tile.dataset;
    const path = image.getAttribute("src");
    if (!id || !path) return;
    const found = isHere(image) ? null : await picture(path).catch(() => null);
    if (!found) this.#lost.add(id);
    if (tile.dataset.id !== id) return;
    if (found) showHere(image, found);
    else tile.classList.add("missing");
  }

  /** @param {HTMLLIElement} tile @param {number} index */
  #fill(tile, index) {
    const hit = this.#results?.at(index);
    const face = hit ? `${hit.id} ${hit.score}` : "";
    if (tile.dataset.face === face) return;
    tile.dataset.face = face;
    const name = hit ? called(hit) : "";
    const [open, similar] = tile.querySelectorAll("button");
    open.setAttribute("aria-label", hit ? spoken(name, hit.score) : "loading");
    similar.setAttribute("aria-label", `Find pictures like ${name}`);
    /** @type {HTMLElement} */ (tile.querySelector(".name")).textContent = name;
    /** @type {HTMLElement} */ (tile.querySelector(".score")).textContent = hit?.score?.toFixed(2) ?? "";
    if (tile.dataset.id !== (hit?.id ?? "")) this.#picture(tile, hit);
  }

  /** @param {HTMLLIElement} tile @param {import("./api.js").Hit | undefined} hit */
  #picture(tile, hit) {
    tile.dataset.id = hit?.id ?? "";
    const lost = this.#lost.has(tile.dataset.id);
    tile.classList.remove("there");
    tile.classList.toggle("missing", lost);
    tile.classList.toggle("small", hit ? Math.max(hit.width ?? SMALL + 1, hit.height ?? 0) <= SMALL : false);
    const image = /** @type {HTMLImageElement} */ (tile.querySelector("img"));
    if (hit && !lost) image.src = `${hit.thumbnail}?side=256`;
    else image.removeAttribute("src");
  }

  /** Of all tiles, one is reached by Tab. */
  #rove() {
    const [first, last] = this.#range();
    const reached = this.#current >= first && this.#current <= last ? this.#current : first;
    for (const [index, tile] of this.#tiles) {
      /** @type {HTMLButtonElement} */ (tile.querySelector(".open")).tabIndex = index === reached ? 0 : -1;
    }
  }

  /** Scroll as little as shows the row whole, below the bar at the top. */
  #reveal(index) {
    const top = this.#list.getBoundingClientRect().top + Math.floor(index / this.#columns) * this.#row;
    const covered = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
    if (top < covered) scrollBy(0, top - covered);
    else if (top + this.#row > innerHeight) scrollBy(0, top + this.#row - innerHeight);
  }

  /** @param {Event} event @returns {number} the index of the tile in which it happened, or -1 */
  #indexOf(event) {
    const tile = /** @type {Element} */ (event.target).closest("li");
    return tile instanceof HTMLElement ? Number(tile.dataset.index) : -1;
  }

  /** @param {string} name @param {number} index */
  #tell(name, index) {
    if (this.#results?.at(index)) this.dispatchEvent(new CustomEvent(name, { detail: index }));
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const index = this.#indexOf(event);
    if (index < 0) return;
    const similar = /** @type {Element} */ (event.target).closest(".similar");
    this.#tell(similar ? "similar" : "open", index);
  }

  /** @param {FocusEvent} event */
  #focused(event) {
    const index = this.#indexOf(event);
    if (index < 0) return;
    this.#current = index;
    this.#rove();
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "s") this.#tell("similar", this.#current);
    if (!KEYS.has(event.key)) return;
    event.preventDefault();
    const next = this.#current + this.#step(event.key);
    if (next < 0 && event.key === "ArrowUp") this.dispatchEvent(new Event("leave"));
    else this.focus(next);
  }

  /** @param {string} key */
  #step(key) {
    const forth = getComputedStyle(this.#list).direction === "rtl" ? -1 : 1;
    const page = Math.max(1, Math.floor(innerHeight / this.#row)) * this.#columns;
    /** @type {Record<string, number>} */
    const steps = {
      ArrowLeft: -forth,
      ArrowRight: forth,
      ArrowUp: -this.#columns,
      ArrowDown: this.#columns,
      PageUp: -page,
      PageDown: page,
      Home: -this.#current,
      End: this.#length() - 1 - this.#current,
    };
    return steps[key];
  }
}

/** @param {string} name @param {number | null} score */
function spoken(name, score) {
  return score === null ? name : `${name}, score ${score.toFixed(2)}`;
}
