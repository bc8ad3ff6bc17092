/** A picture and its bars. */

import { copyOf } from "./dom.js";

const TOP = 5;

/** @param {number} share */
const percent = (share) => (share >= 0.0995 ? `${Math.round(share * 100)} %` : `${(share * 100).toFixed(1)} %`);

export class Card {
  element = copyOf("card-template");
  #all = false;
  /** @type {{label: string, share: number}[]} */
  #ranked = [];
  /** @type {Map<string, HTMLElement>} bars by label, which move instead of being made anew */
  #bars = new Map();

  /** @param {string} name @param {string} url @param {() => void} remove */
  constructor(name, url, remove) {
    const image = this.element.querySelector("img");
    image.src = url;
    this.element.querySelector(".source").textContent = name;
    const button = this.element.querySelector(".remove");
    button.setAttribute("aria-label", `Remove ${name}`);
    button.addEventListener("click", remove);
    this.element.querySelector(".all").addEventListener("click", () => {
      this.#all = !this.#all;
      this.#paint();
    });
  }

  /** @param {string} text instead of bars */
  say(text) {
    this.#ranked = [];
    this.#paint();
    this.element.querySelector("h2").textContent = text;
  }

  /** @param {string[]} labels @param {number[]} shares */
  show(labels, shares) {
    this.#ranked = labels.map((label, index) => ({ label, share: shares[index] })).sort((a, b) => b.share - a.share);
    const [best] = this.#ranked;
    this.element.querySelector("h2").textContent = `${best.share < 0.5 ? "Perhaps " : ""}${best.label}, ${percent(best.share)}`;
    this.#paint();
  }

  #paint() {
    const shown = this.#all ? this.#ranked : this.#ranked.slice(0, TOP);
    for (const label of [...this.#bars.keys()]) {
      if (!shown.some((one) => one.label === label)) this.#bars.delete(label);
    }
    this.element.querySelector(".bars").replaceChildren(...shown.map((one) => this.#bar(one)));
    const button = this.element.querySelector(".all");
    button.hidden = this.#ranked.length <= TOP;
    button.setAttribute("aria-expanded", String(this.#all));
    button.textContent = this.#all ? "Show fewer" : `Show all ${this.#ranked.length}`;
  }

  #bar({ label, share }) {
    const bar = this.#bars.get(label) ?? copyOf("bar-template");
    this.#bars.set(label, bar);
    bar.querySelector(".label").textContent = label;
    bar.querySelector(".share").textContent = percent(share);
    bar.querySelector(".track span").style.setProperty("--share", String(share));
    return bar;
  }
}
