/** The answer to one query, page by page, wherever somebody scrolls. */

import { search } from "./api.js";

const PAGE = 100;
const KEPT = 40;

/**
 * Tells "change" when rows have come, and "failed" (detail: the error) when they could not.
 */
export class Results extends EventTarget {
  /** @type {Map<number, import("./api.js").Hit[]>} */
  #pages = new Map();
  /** @type {Map<number, AbortController>} */
  #asked = new Map();
  #request;

  /** How many may be scrolled to. */
  count = 0;
  /** How many there are. */
  total = 0;
  /** @type {number | null} */
  best = null;
  snapshot = "";
  ranked;

  /** @param {Omit<Parameters<typeof search>[0], "top" | "offset">} request */
  constructor(request) {
    super();
    this.#request = request;
    this.ranked = request.query.length > 0;
  }

  /** @param {AbortSignal} signal */
  async begin(signal) {
    const found = await search({ ...this.#request, top: PAGE, offset: 0 }, signal);
    this.snapshot = found.store.snapshot;
    this.best = found.data[0]?.score ?? null;
    this.#take(0, found);
  }

  /** @param {number} index @returns {import("./api.js").Hit | undefined} */
  at(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /**
   * See that these rows are here or on their way; what is on its way and no longer wanted is given up.
   * @param {number} first @param {number} last
   */
  want(first, last) {
    const from = Math.floor(first / PAGE);
    const to = Math.floor(last / PAGE);
    for (const [page, controller] of this.#asked) {
      if (page >= from - 1 && page <= to + 1) continue;
      controller.abort();
      this.#asked.delete(page); // so that who comes back at once asks again
    }
    for (let page = from; page <= to; page += 1) {
      if (!this.#pages.has(page) && !this.#asked.has(page)) this.#ask(page);
    }
  }

  /** Let the reader stay where these former results, which are hardly others, had brought them. */
  reachAsFarAs(/** @type {Results} */ former) {
    this.count = Math.max(this.count, Math.min(former.count, this.total));
  }

  /** Nothing more is wanted of it. */
  close() {
    for (const controller of this.#asked.values()) controller.abort();
  }

  /** @param {number} page */
  async #ask(page) {
    const controller = new AbortController();
    this.#asked.set(page, controller);
    try {
      const request = { ...this.#request, top: PAGE, offset: page * PAGE };
      const found = await search(request, controller.signal);
      if (found.store.snapshot !== this.snapshot) this.dispatchEvent(new Event("stale"));
      else this.#take(page, found);
    } catch (error) {
      if (!controller.signal.aborted) this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    } finally {
      if (this.#asked.get(page) === controller) this.#asked.delete(page);
    }
  }

  /**
   * Ranked rows are shown as far as somebody reads; the store itself has its whole length from the start.
   * @param {number} page @param {import("./api.js").Found} found
   */
  #take(page, found) {
    this.#pages.set(page, found.data);
    this.total = found.total;
    const seen = page * PAGE + found.data.length;
    const further = this.ranked && found.more ? seen + PAGE : seen;
    this.count = this.ranked ? Math.min(Math.max(this.count, further), found.more ? found.total : seen) : found.total;
    this.#forget(page);
    this.dispatchEvent(new Event("change"));
  }

  /** @param {number} page near which pages are kept */
  #forget(page) {
    if (this.#pages.size <= KEPT) return;
    const far = [...this.#pages.keys()].sort((a, b) => Math.abs(b - page) - Math.abs(a - page));
    for (const one of far.slice(0, this.#pages.size - KEPT)) this.#pages.delete(one);
  }
}
