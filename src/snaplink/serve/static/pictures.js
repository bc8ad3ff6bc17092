/** Pictures that people give: chosen, dropped or pasted, and how they are sent. */

import { counted } from "./dom.js";

/** @typedef {{name: string, url: string, data: string}} Given `url` shows it, `data` is sent */

const SENT_AS_IT_IS = 2 * 1024 * 1024;
const SIDE = 1600;

/**
 * A picture to show and to send. Large ones are made smaller here: the model sees some hundred pixels.
 * @param {Blob} blob
 * @param {string} name
 * @returns {Promise<Given>}
 */
export async function given(blob, name) {
  const sent = blob.size > SENT_AS_IT_IS ? await smaller(blob) : blob;
  return { name, url: URL.createObjectURL(blob), data: await dataUrl(sent) };
}

/**
 * The same picture with at most SIDE pixels a side; itself where the browser cannot read it: the server may.
 * @param {Blob} blob
 * @returns {Promise<Blob>}
 */
async function smaller(blob) {
  const bitmap = await createImageBitmap(blob).catch(() => null);
  if (!bitmap) return blob;
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  if (!pen) return blob;
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise((done) => canvas.toBlob((made) => done(made ?? blob), "image/jpeg", 0.92));
}

/** @param {Blob} blob @returns {Promise<string>} */
function dataUrl(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** What the browser knows no type of may be a picture: the server looks. @param {File} file */
const mayBePicture = (file) => !file.type || file.type.startsWith("image/");

/**
 * What to say of files that are no pictures.
 * @param {File[]} files at least one
 */
export function noPictures([first, ...others]) {
  const what = others.length ? `${first.name} and ${counted(others.length, "other")} are no pictures` : `${first.name} is no picture`;
  return `${what}: give a JPEG, PNG, WebP …`;
}

/**
 * Hear of every file that is dropped on the page or pasted into it.
 * @param {HTMLElement} curtain shown while a file hovers over the page
 * @param {(pictures: File[], others: File[]) => void} take
 */
export function receive(curtain, take) {
  const carries = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  const takeFrom = (/** @type {DataTransfer | null} */ transfer) => {
    const files = [...(transfer?.files ?? [])];
    const others = files.filter((file) => !mayBePicture(file));
    if (files.length) take(files.filter(mayBePicture), others);
    return files.length > 0;
  };
  addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    curtain.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) curtain.hidden = true;
  });
  addEventListener("drop", (event) => {
    curtain.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    takeFrom(event.dataTransfer);
  });
  addEventListener("paste", (event) => {
    if (takeFrom(event.clipboardData)) event.preventDefault();
  });
}
