/** Short words for what every module does with the document. */

/**
 * The element with this id.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * A new element.
 * @param {string} name
 * @param {Record<string, any>} [properties] set on it
 * @param {...(Node | string)} children texts stay texts, whatever is in them
 * @returns {any}
 */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/**
 * A copy of what is in a template: its one element.
 * @param {string} id of the template
 * @returns {any}
 */
export function copyOf(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/**
 * Call the function once things have been quiet for a while.
 * @template {any[]} A
 * @param {number} milliseconds
 * @param {(...values: A) => void} act
 * @returns {(...values: A) => void}
 */
export function quietly(milliseconds, act) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), milliseconds);
  };
}

/**
 * A number of things in words: "1 picture", "1,200 pictures".
 * @param {number} count
 * @param {string} one
 */
export function counted(count, one) {
  return `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
}

/**
 * The last part of a path or an address.
 * @param {string} key
 */
export function baseName(key) {
  return key.split(/[/\\]/).filter(Boolean).pop() ?? key;
}

/** What a picture is called. @param {import("./api.js").Hit} hit */
export const called = (hit) => hit.caption || baseName(hit.key);

/**
 * Show a picture whose bytes are here: nobody is asked for it, who could refuse.
 * @param {HTMLImageElement} image @param {Blob} bytes
 */
export function showHere(image, bytes) {
  const address = URL.createObjectURL(bytes);
  const forget = () => URL.revokeObjectURL(address);
  for (const end of ["load", "error"]) image.addEventListener(end, forget, { once: true });
  image.src = address;
}

/** Whether the bytes of the picture were given by `showHere`. @param {HTMLImageElement} image */
export const isHere = (image) => image.src.startsWith("blob:");

/** @param {string} symbol such as "plus", of the page's symbols */
export function setSymbol(button, symbol) {
  button.querySelector("use").setAttribute("href", `#icon-${symbol}`);
}
