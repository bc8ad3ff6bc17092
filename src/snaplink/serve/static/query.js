/** What is searched for, as data: nothing here touches the page or the server. */

/**
 * @typedef {object} Part
 * @property {"words" | "row" | "upload"} kind
 * @property {string} value the words, the row's id, or the upload's address
 * @property {number} weight below zero: less like this
 */
/**
 * @typedef {object} Query
 * @property {string} draft what stands in the field
 * @property {Part[]} parts what was kept
 * @property {import("./condition.js").Filters} filters
 * @property {string} where a condition written by hand, instead of the filters
 * @property {boolean} dedupe
 * @property {string} modality "image" or "text"
 */

/** @returns {Query} */
export function emptyQuery() {
  return { draft: "", parts: [], filters: {}, where: "", dedupe: false, modality: "image" };
}

/**
 * The field's text as a part: a leading minus turns it round.
 * @param {string} draft
 * @returns {Part | null}
 */
export function draftPart(draft) {
  const text = draft.trim();
  const negative = text.startsWith("-");
  const value = negative ? text.slice(1).trim() : text;
  return value ? { kind: "words", value, weight: negative ? -1 : 1 } : null;
}

/** @param {Query} query @returns {Part[]} */
export function allParts(query) {
  const draft = draftPart(query.draft);
  return draft ? [...query.parts, draft] : query.parts;
}

const NAMES = { words: ["q", "not"], row: ["like", "unlike"] };

/**
 * The query for an address, without uploaded pictures, which no address can hold.
 * @param {Query} query
 */
export function toParams(query) {
  const params = new URLSearchParams();
  for (const part of allParts(query)) {
    if (part.kind === "upload") continue;
    const name = NAMES[part.kind][part.weight < 0 ? 1 : 0];
    const amount = Math.abs(part.weight);
    params.append(amount === 1 ? name : `${name}@${amount}`, part.value);
  }
  for (const [column, filter] of Object.entries(query.filters)) {
    for (const value of filter.is ?? []) params.append(`is.${column}`, JSON.stringify(value));
    if (filter.min) params.append(`min.${column}`, filter.min);
    if (filter.max) params.append(`max.${column}`, filter.max);
    if (filter.has) params.append(`has.${column}`, filter.has);
  }
  if (query.where) params.append("where", query.where);
  if (query.dedupe) params.append("dedupe", "1");
  if (query.modality !== "image") params.append("in", query.modality);
  return params;
}

/**
 * The query that an address holds. Words at its end go into the field.
 * @param {URLSearchParams} params
 * @returns {Query}
 */
export function fromParams(params) {
  const query = emptyQuery();
  for (const [name, value] of params) {
    const part = partOf(name, value);
    if (part) query.parts.push(part);
    else readFilter(query, name, value);
  }
  query.where = params.get("where") ?? "";
  query.dedupe = params.get("dedupe") === "1";
  query.modality = params.get("in") === "text" ? "text" : "image";
  const last = query.parts.at(-1);
  if (last?.kind === "words" && Math.abs(last.weight) === 1) {
    query.parts.pop();
    query.draft = last.weight < 0 ? `-${last.value}` : last.value;
  }
  return query;
}

/** @param {string} name @param {string} value @returns {Part | null} */
function partOf(name, value) {
  const [, word, amount = "1"] = /^(q|not|like|unlike)(?:@(\d+(?:\.\d+)?))?$/.exec(name) ?? [];
  const weight = Number(amount);
  if (!word || !value.trim() || !weight) return null;
  const kind = NAMES.words.includes(word) ? "words" : "row";
  return { kind, value, weight: NAMES[kind][1] === word ? -weight : weight };
}

/** @param {Query} query @param {string} name @param {string} value */
function readFilter(query, name, value) {
  const [, rule, column] = /^(is|min|max|has)\.(.+)$/s.exec(name) ?? [];
  if (!rule) return;
  const filter = (query.filters[column] ??= {});
  if (rule !== "is") filter[rule] = value;
  else {
    try {
      (filter.is ??= []).push(JSON.parse(value));
    } catch {
      // an address that somebody has changed by hand
    }
  }
}
