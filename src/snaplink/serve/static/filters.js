/** A form made of the store's columns, and the condition in SQL that it stands for. */

import { conditionOf } from "./condition.js";
import { element, quietly } from "./dom.js";

/** @typedef {import("./condition.js").Filters} Filters */
/** @typedef {import("./api.js").Column} Column */
/** @typedef {{filters: Filters, where: string, dedupe: boolean, modality: string}} Choice */

const OPEN = 6; // values of a column, with 44 pixels each

/** Tells "change" when the choice has become another. */
export class FilterForm extends EventTarget {
  /** @type {Choice} */
  #choice = { filters: {}, where: "", dedupe: false, modality: "image" };
  #form;
  #columns;
  #modalities;

  /** @param {HTMLFormElement} form @param {Column[]} columns @param {string[]} modalities */
  constructor(form, columns, modalities) {
    super();
    this.#form = form;
    this.#columns = columns.filter(tellsApart);
    this.#modalities = modalities;
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  get choice() {
    return this.#choice;
  }

  /** How many things are filtered by. */
  get size() {
    const { filters, where, dedupe, modality } = this.#choice;
    const ruled = where ? 1 : Object.keys(filters).filter((name) => conditionOf({ [name]: filters[name] })).length;
    return ruled + Number(dedupe) + Number(modality !== "image");
  }

  /** @param {Choice} choice */
  show(choice) {
    this.#choice = structuredClone(choice);
    this.#form.replaceChildren(
      ...this.#columns.map((column) => this.#group(column)),
      this.#condition(),
      ...this.#further(),
      this.#clear(),
    );
  }

  #changed() {
    this.#form.querySelector("textarea").value = this.#choice.where || conditionOf(this.#choice.filters);
    this.dispatchEvent(new Event("change"));
  }

  /** A filter was touched: a condition written by hand gives way to it. */
  #set(column, filter) {
    this.#choice.where = "";
    this.#choice.filters[column.name] = { ...this.#choice.filters[column.name], ...filter };
    this.#changed();
  }

  /** @param {Column} column */
  #group(column) {
    const legend = element("legend", { textContent: column.name, dir: "auto" });
    return element("fieldset", {}, legend, ...this.#fields(column));
  }

  /** @param {Column} column */
  #fields(column) {
    const chosen = this.#choice.filters[column.name] ?? {};
    if (column.values) return this.#boxes(column, chosen.is ?? []);
    if (column.type === "text") return [this.#field(column, "has", "contains", "search", chosen.has)];
    const type = column.type === "time" ? "date" : "number";
    return [
      element("div", { className: "pair" },
        this.#field(column, "min", "from", type, chosen.min, column.min),
        this.#field(column, "max", "to", type, chosen.max, column.max)),
    ];
  }

  /** A box for each value; of many, only the most frequent ones and the chosen ones are open. */
  #boxes(column, chosen) {
    const open = column.values.filter((one, index) => index < OPEN || chosen.includes(one.value));
    const others = column.values.filter((one) => !open.includes(one));
    const boxes = open.map((one) => this.#box(column, one, chosen));
    if (!others.length) return boxes;
    const summary = element("summary", { textContent: `${others.length} more` });
    return [...boxes, element("details", {}, summary, ...others.map((one) => this.#box(column, one, chosen)))];
  }

  #box(column, { value, count }, chosen) {
    const box = element("input", { type: "checkbox", checked: chosen.includes(value) });
    box.addEventListener("change", () => {
      const others = (this.#choice.filters[column.name]?.is ?? []).filter((one) => one !== value);
      this.#set(column, { is: box.checked ? [...others, value] : others });
    });
    const name = element("span", { textContent: value === null ? "none" : String(value), dir: "auto" });
    return element("label", { className: "box" }, box, name, element("small", { textContent: count.toLocaleString("en") }));
  }

  #field(column, rule, word, type, value = "", example = "") {
    const field = element("input", { type, value, step: "any", placeholder: type === "number" ? String(example ?? "") : "" });
    field.addEventListener("input", quietly(250, () => this.#set(column, { [rule]: field.value.trim() })));
    return element("label", {}, word, field);
  }

  #condition() {
    const area = element("textarea", { rows: 2, spellcheck: false, value: this.#choice.where || conditionOf(this.#choice.filters) });
    area.addEventListener("input", quietly(500, () => {
      this.#choice.where = area.value.trim();
      this.#choice.filters = {};
      for (const box of this.#form.querySelectorAll("fieldset [type=checkbox]")) box.checked = false;
      for (const field of this.#form.querySelectorAll("fieldset input:not([type=checkbox])")) field.value = "";
      this.dispatchEvent(new Event("change"));
    }));
    const summary = element("summary", { textContent: "Condition" });
    const label = element("label", {}, "in SQL, as after WHERE", area);
    return element("details", { open: Boolean(this.#choice.where) }, summary, label);
  }

  #further() {
    const boxes = [this.#toggle("Hide near-duplicates", this.#choice.dedupe, (on) => { this.#choice.dedupe = on; })];
    if (this.#modalities.includes("text")) {
      const inCaptions = this.#choice.modality === "text";
      boxes.push(this.#toggle("Search the captions", inCaptions, (on) => { this.#choice.modality = on ? "text" : "image"; }));
    }
    return boxes;
  }

  #toggle(word, checked, set) {
    const box = element("input", { type: "checkbox", checked });
    box.addEventListener("change", () => {
      set(box.checked);
      this.#changed();
    });
    return element("label", { className: "box" }, box, element("span", { textContent: word }));
  }

  #clear() {
    const button = element("button", { type: "button", className: "plain", textContent: "Clear all" });
    button.addEventListener("click", () => {
      this.show({ filters: {}, where: "", dedupe: false, modality: "image" });
      this.#changed();
    });
    return button;
  }
}

/** Has the column anything to choose from? @param {Column} column */
function tellsApart({ type, values, min }) {
  if (type === "other") return false;
  return values ? values.length > 0 : type === "text" || min !== null;
}
