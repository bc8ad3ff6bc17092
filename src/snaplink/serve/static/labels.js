/** Labels as chips behind a field: comma and Enter add one, Backspace takes the last one away. Tells "change". */

import { copyOf } from "./dom.js";

export class Labels extends EventTarget {
  /** @type {string[]} */
  #labels = [];
  #list;
  #field;

  /** @param {HTMLElement} list @param {HTMLInputElement} field */
  constructor(list, field) {
    super();
    this.#list = list;
    this.#field = field;
    field.addEventListener("input", () => {
      const typed = field.value.split(",");
      if (typed.length > 1) {
        field.value = typed.pop().trimStart();
        this.#add(typed);
      }
      this.dispatchEvent(new Event("change"));
    });
    field.addEventListener("keydown", (event) => this.#pressed(event));
    field.addEventListener("blur", () => this.#take());
  }

  /** Those that are kept, and the one that is being typed. */
  get all() {
    return unique([...this.#labels, this.#field.value]);
  }

  /** @param {string[]} labels */
  set all(labels) {
    this.#labels = unique(labels);
    this.#paint();
  }

  #take() {
    const typed = this.#field.value;
    this.#field.value = "";
    if (typed.trim()) this.#add([typed]);
  }

  /** @param {string[]} labels */
  #add(labels) {
    this.all = [...this.#labels, ...labels];
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.#take();
    }
    if (event.key === "Backspace" && !this.#field.value) this.all = this.#labels.slice(0, -1);
  }

  #paint() {
    this.#list.replaceChildren(...this.#labels.map((label) => this.#chip(label)));
    this.dispatchEvent(new Event("change"));
  }

  /** @param {string} label */
  #chip(label) {
    const chip = copyOf("label-template");
    chip.querySelector(".what").textContent = label;
    const remove = chip.querySelector("button");
    remove.setAttribute("aria-label", `Remove ${label}`);
    remove.addEventListener("click", () => {
      this.all = this.#labels.filter((one) => one !== label);
      this.#field.focus();
    });
    return chip;
  }
}

/** CLIP knows no capitals: "Cat" is "cat". */
function unique(labels) {
  const kept = new Map();
  for (const label of labels.map((one) => one.trim()).filter(Boolean)) {
    if (!kept.has(label.toLowerCase())) kept.set(label.toLowerCase(), label);
  }
  return [...kept.values()];
}
