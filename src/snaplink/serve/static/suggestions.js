/** Words that find something among the example drawings. */

import { search } from "./api.js";
import { element } from "./dom.js";

const SUGGESTIONS = ["a clock", "a musical instrument", "a happy face", "an animal", "a vehicle", "something to eat"];

/**
 * @param {HTMLElement} box
 * @param {boolean} demo
 * @param {(words: string) => void} choose
 */
export function showSuggestions(box, demo, choose) {
  if (!demo) return;
  box.append(
    ...SUGGESTIONS.map((words) => {
      const button = element("button", { type: "button", className: "plain", textContent: words });
      button.addEventListener("click", () => choose(words));
      return button;
    }),
  );
}

/**
 * Some pictures of the store to try things with.
 * @param {boolean} demo
 * @returns {Promise<import("./api.js").Hit[]>}
 */
export async function examplePictures(demo) {
  if (!demo) return (await search({ query: [], top: 6, offset: 0 })).data;
  const found = await Promise.all(SUGGESTIONS.map((text) => search({ query: [{ text }], top: 1, offset: 0 })));
  return found.map(({ data }) => data[0]);
}
