/**
 * Classifying: each picture and each sentence is sent once, and the bars are computed here from their vectors, so
 * that they follow every key.
 */

import { embeddings, picture, Refused } from "./api.js";
import { Card } from "./card.js";
import { byId, called, counted, element, quietly } from "./dom.js";
import { Labels } from "./labels.js";
import { given } from "./pictures.js";
import { filled, mean, probabilities } from "./scores.js";
import { examplePictures } from "./suggestions.js";

/** @typedef {{card: Card, features: Float32Array | null}} Judged */

const TYPING = 200;
const AT_ONCE = 64;
const SHOWN = 2; // examples that are there from the start, where the store is the example drawings
const LABELS = ["clock", "musical instrument", "face", "animal", "vehicle", "food"];

export class ClassifyView {
  /** @type {Set<Judged>} */
  #pictures = new Set();
  /** @type {Map<string, Float32Array>} */
  #sentences = new Map();
  #stop = new AbortController();
  #said = byId("classify-said");
  #templates = byId("templates");
  #labels = new Labels(byId("labels"), byId("label"));
  #model;
  #begun = false;
  #demo;

  /** @param {{logit_scale: number, templates: string[]}} model @param {boolean} demo */
  constructor(model, demo) {
    this.#model = model;
    this.#demo = demo;
    this.#templates.value = model.templates.join("\n");
    const soon = quietly(TYPING, () => this.again());
    this.#labels.addEventListener("change", soon);
    this.#templates.addEventListener("input", soon);
    if (demo) this.#labels.all = LABELS;
    const files = byId("classify-files");
    byId("classify-choose").addEventListener("click", () => files.click());
    files.addEventListener("change", () => {
      this.take([...files.files]);
      files.value = "";
    });
  }

  /** The view is looked at: the first time, it fetches its examples. */
  async begin() {
    if (this.#begun) return;
    this.#begun = true;
    this.#say();
    const hits = await examplePictures(this.#demo).catch(() => []);
    const box = byId("examples");
    box.hidden = !hits.length;
    box.replaceChildren(element("span", { textContent: "or try" }), ...hits.map((hit) => this.#example(hit)));
    if (this.#demo && !this.#pictures.size) for (const hit of hits.slice(1, SHOWN + 1).reverse()) await this.#try(hit);
  }

  /** Ends when they are judged. @param {File[]} files */
  async take(files) {
    await Promise.all(files.map((file) => this.#add(file, file.name || "your picture")));
  }

  /** @param {string} message */
  say(message) {
    this.#said.textContent = message;
  }

  /** @param {import("./api.js").Hit} hit */
  #example(hit) {
    const name = called(hit);
    const image = element("img", { src: `${hit.thumbnail}?side=128`, alt: "", width: 48, height: 48 });
    const button = element("button", { type: "button", title: name }, image);
    button.setAttribute("aria-label", `Try ${name}`);
    button.addEventListener("click", () => this.#try(hit));
    return button;
  }

  /** @param {import("./api.js").Hit} hit */
  async #try(hit) {
    try {
      await this.#add(await picture(hit.picture), called(hit));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#said.textContent = error.message;
    }
  }

  /** @param {Blob} blob @param {string} name */
  async #add(blob, name) {
    const { url, data } = await given(blob, name);
    const judged = { features: null, card: new Card(name, url, () => this.#remove(judged, url)) };
    this.#pictures.add(judged);
    byId("cards").prepend(judged.card.element);
    judged.card.say("Looking…");
    try {
      [judged.features] = await embeddings([data]);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      judged.card.say(error.message);
      return;
    }
    await this.again();
  }

  #remove(judged, url) {
    this.#pictures.delete(judged);
    judged.card.element.remove();
    URL.revokeObjectURL(url);
    byId("classify-choose").focus();
    this.#say();
  }

  /** Bring every card up to date; an answer for older labels is dropped. */
  async again() {
    this.#stop.abort();
    const stop = (this.#stop = new AbortController());
    const labels = this.#labels.all;
    if (labels.length < 2 || !this.#pictures.size) return this.#say();
    try {
      const vectors = await this.#vectors(labels, stop.signal);
      if (!stop.signal.aborted) this.#show(labels, vectors);
    } catch (error) {
      if (stop.signal.aborted) return undefined;
      if (!(error instanceof Refused)) throw error;
      this.#said.textContent = error.message;
    }
    return undefined;
  }

  /** @param {string[]} labels @param {AbortSignal} signal */
  async #vectors(labels, signal) {
    const written = this.#templates.value.split("\n").filter((/** @type {string} */ line) => line.trim());
    const templates = written.length ? written : ["{}"];
    const sentences = labels.map((label) => templates.map((template) => filled(template, label)));
    const missing = [...new Set(sentences.flat())].filter((one) => !this.#sentences.has(one));
    for (let start = 0; start < missing.length; start += AT_ONCE) {
      const asked = missing.slice(start, start + AT_ONCE);
      const vectors = await embeddings(asked, signal);
      asked.forEach((sentence, index) => this.#sentences.set(sentence, vectors[index]));
    }
    return sentences.map((of) => mean(of.map((one) => this.#sentences.get(one))));
  }

  /** @param {string[]} labels @param {Float32Array[]} vectors */
  #show(labels, vectors) {
    for (const { card, features } of this.#pictures) {
      if (features) card.show(labels, probabilities(features, vectors, this.#model.logit_scale));
    }
    this.#say();
  }

  #say() {
    const labels = this.#labels.all.length;
    const pictures = this.#pictures.size;
    if (!pictures) this.#said.textContent = "No picture yet.";
    else if (labels < 2) {
      this.#said.textContent = "At least two labels are needed.";
      for (const { card, features } of this.#pictures) if (features) card.say("Which label?");
    } else this.#said.textContent = `${counted(pictures, "picture")}, ${counted(labels, "label")}`;
  }
}
