/**
 * What the server is asked, and what is done when it is busy, gone or wants a token.
 *
 * Listeners of `server`: "gone", "starting" and "back" (the connection), "busy" (it asks us to wait), "stranger" (it
 * wants a token).
 */

/** @typedef {{text?: string, image?: string, id?: string, weight?: number}} Asked */
/**
 * @typedef {object} Hit
 * @property {string} id
 * @property {number} position
 * @property {string} key
 * @property {string | null} source where the picture is, if the key does not say so
 * @property {number | null} score
 * @property {number | null} width
 * @property {number | null} height
 * @property {string | null} caption
 * @property {Record<string, any>} metadata
 * @property {string} thumbnail
 * @property {string} picture
 */
/** @typedef {{data: Hit[], total: number, more: boolean, took_ms: number, store: {rows: number, snapshot: string}}} Found */
/** @typedef {{name: string, type: string, values: {value: any, count: number}[] | null, min: any, max: any}} Column */

export const server = new EventTarget();

/** An answer that is no success; its message is the server's own and fit to be shown. */
export class Refused extends Error {
  /** @param {number} status @param {string} message @param {string | null} code */
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const TRIES = 5;
let gone = false;

/** @param {string} name @param {any} [detail] */
function tell(name, detail) {
  server.dispatchEvent(new CustomEvent(name, { detail }));
}

/** @param {number} milliseconds @param {AbortSignal} [signal] */
export function pause(milliseconds, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      failed(signal.reason);
    });
  });
}

/**
 * Ask until there is an answer that is not "later".
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
async function ask(path, options = {}) {
  for (let tried = 1; ; tried += 1) {
    const answer = await reach(path, options);
    if (answer.ok) return answer;
    const later = answer.status === 429 || answer.status === 503;
    if (!later || tried === TRIES) throw await refusal(answer);
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    tell("busy", seconds);
    await pause(seconds * 1000, options.signal ?? undefined);
  }
}

/**
 * One try, which tells of a connection that is lost or found again.
 * @param {string} path
 * @param {RequestInit} options
 */
async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    lost();
    throw new Refused(0, "The server does not answer.", "gone");
  }
}

/** @param {Response} answer */
async function refusal(answer) {
  if (answer.status === 401) tell("stranger");
  const body = await answer.json().catch(() => null);
  const said = body?.error?.message ?? `the server answered ${answer.status}`;
  return new Refused(answer.status, said, body?.error?.code ?? null);
}

/** An answer that nobody reads holds its connection, of which a browser has six. @param {Response} answer */
async function finished(answer) {
  await answer.arrayBuffer().catch(() => null);
}

/** Look for the server until it is there again, with its model: that may take longer than a request is tried. */
async function lost() {
  if (gone) return;
  gone = true;
  tell("gone");
  for (let wait = 500; ; wait = Math.min(wait * 1.5, 5000)) {
    await pause(wait);
    const answer = await fetch("/readyz").catch(() => null);
    if (answer) await finished(answer);
    if (answer?.ok) break;
    tell(answer ? "starting" : "gone");
  }
  gone = false;
  tell("back");
}

/** @param {string} path @param {any} body @param {AbortSignal} [signal] */
async function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

/**
 * @param {{query: Asked[], top: number, offset: number, where?: string, dedupe?: boolean, modality?: string, threshold?: number}} request
 * @param {AbortSignal} [signal]
 * @returns {Promise<Found>}
 */
export async function search(request, signal) {
  return (await post("/v1/search", request, signal)).json();
}

/**
 * @param {AbortSignal} [signal]
 * @returns {Promise<{name: string, rows: number, model: string, modalities: string[], demo: boolean, columns: Column[]}>}
 */
export async function store(signal) {
  return (await ask("/v1/store", { signal })).json();
}

/** @returns {Promise<{id: string, logit_scale: number, templates: string[]}>} */
export async function model() {
  return (await (await ask("/v1/models")).json()).data[0];
}

/**
 * Vectors of length 1, of texts or of pictures given as data URLs.
 * @param {string[]} input
 * @param {AbortSignal} [signal]
 * @returns {Promise<Float32Array[]>}
 */
export async function embeddings(input, signal) {
  const answer = await post("/v1/embeddings", { input, encoding_format: "float" }, signal);
  const { data } = await answer.json();
  return data.map((/** @type {{embedding: number[]}} */ one) => Float32Array.from(one.embedding));
}

/** @param {string} path of a picture of the store */
export async function picture(path) {
  return (await ask(path)).blob();
}

/** @param {string} token */
export async function signIn(token) {
  await post("/session", { token });
}

/**
 * Wait until the model is loaded.
 * @param {(reason: string) => void} waiting told why it is not
 */
export async function ready(waiting) {
  for (;;) {
    const answer = await reach("/readyz", {}).catch(() => null);
    if (answer?.ok) return finished(answer);
    if (answer) waiting((await refusal(answer)).message);
    await pause(700);
  }
}
