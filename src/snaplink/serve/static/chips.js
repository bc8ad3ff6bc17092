/** The parts of a query, each to be weighed, turned round or taken away. */

import { copyOf, setSymbol } from "./dom.js";

/** @typedef {import("./query.js").Part} Part */
/** @typedef {{name: string, url?: string}} Shown what a part is called, and its picture */

/**
 * @param {HTMLElement} list
 * @param {Part[]} parts
 * @param {(part: Part) => Shown} describe
 * @param {(parts: Part[]) => void} change told the parts as they should be
 */
export function showChips(list, parts, describe, change) {
  list.hidden = parts.length === 0;
  const replaced = (/** @type {number} */ index, /** @type {Part[]} */ ...by) => {
    change(parts.toSpliced(index, 1, ...by));
    focusNear(list, index);
  };
  list.replaceChildren(...parts.map((part, index) => chip(part, describe(part), (...by) => replaced(index, ...by))));
}

/**
 * @param {Part} part
 * @param {Shown} shown
 * @param {(...by: Part[]) => void} replace
 */
function chip(part, shown, replace) {
  const made = copyOf("chip-template");
  const negative = part.weight < 0;
  const [sign, remove] = made.querySelectorAll("button");
  const slider = made.querySelector("input");
  made.classList.toggle("negative", negative);
  made.querySelector(".what").textContent = shown.name;
  const image = made.querySelector("img");
  image.hidden = !shown.url;
  if (shown.url) image.src = shown.url;

  setSymbol(sign, negative ? "minus" : "plus");
  sign.setAttribute("aria-label", `${negative ? "More" : "Less"} like ${shown.name}`);
  sign.title = negative ? "Wanted less: click for more" : "Wanted: click for less";
  sign.addEventListener("click", () => replace({ ...part, weight: -part.weight }));

  slider.value = String(Math.abs(part.weight));
  slider.title = `Weight ${slider.value}`;
  slider.setAttribute("aria-label", `Weight of ${shown.name}`);
  slider.addEventListener("change", () => replace({ ...part, weight: Math.sign(part.weight) * Number(slider.value) }));

  remove.setAttribute("aria-label", `Remove ${shown.name}`);
  remove.addEventListener("click", () => replace());
  return made;
}

/** A chip was made anew under the focus: give the focus to its successor. */
function focusNear(list, index) {
  const chips = [...list.children];
  const next = chips[Math.min(index, chips.length - 1)];
  if (next) next.querySelector("button").focus();
}
