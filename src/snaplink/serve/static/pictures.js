/** Pictures that people give: chosen, dropped or pasted, and how they are sent. */

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

/** @param {DataTransfer | null} transfer @returns {File[]} */
function filesOf(transfer) {
  return [...(transfer?.files ?? [])].filter((file) => !file.type || file.type.startsWith("image/"));
}

/**
 * Hear of every picture that is dropped on the page or pasted into it.
 * @param {HTMLElement} curtain shown while a file hovers over the page
 * @param {(files: File[]) => void} take
 */
export function receive(curtain, take) {
  const carries = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
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
    const files = filesOf(event.dataTransfer);
    if (files.length) take(files);
  });
  addEventListener("paste", (event) => {
    const files = filesOf(event.clipboardData);
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
}
