/** Filters to a condition in SQL. Names and values are quoted, so that none of them can be anything else. */

/** @typedef {{is?: any[], min?: string, max?: string, has?: string}} Filter */
/** @typedef {Record<string, Filter>} Filters by the name of the column */

/** @param {string} name */
const quotedName = (name) => `"${name.replaceAll('"', '""')}"`;

/** @param {string} text */
const quotedText = (text) => `'${text.replaceAll("'", "''")}'`;

/** @param {any} value */
const literal = (value) => (typeof value === "string" ? quotedText(value) : String(value));

/** @param {string} name @param {any[]} values */
function among(name, values) {
  const known = values.filter((value) => value !== null);
  const rules = [];
  if (known.length) rules.push(`${name} IN (${known.map(literal).join(", ")})`);
  if (known.length < values.length) rules.push(`${name} IS NULL`);
  return rules.length > 1 ? `(${rules.join(" OR ")})` : rules[0];
}

const DAY = /^\d{4,}-\d\d-\d\d$/;

/** @param {string} value of a field for a number or a date */
const bound = (value) => (Number.isFinite(Number(value)) ? String(Number(value)) : quotedText(value));

/** Up to a number, or to the end of a day. @param {string} value */
const upTo = (value) => (DAY.test(value) ? `< ${quotedText(dayAfter(value))}` : `<= ${bound(value)}`);

/** @param {string} day */
function dayAfter(day) {
  const date = new Date(day);
  date.setUTCDate(date.getUTCDate() + 1);
  return date.toISOString().slice(0, 10);
}

/**
 * @param {Filters} filters
 * @returns {string} empty where nothing is filtered
 */
export function conditionOf(filters) {
  const rules = [];
  for (const [column, filter] of Object.entries(filters)) {
    const name = quotedName(column);
    if (filter.is?.length) rules.push(among(name, filter.is));
    if (filter.min) rules.push(`${name} >= ${bound(filter.min)}`);
    if (filter.max) rules.push(`${name} ${upTo(filter.max)}`);
    if (filter.has) rules.push(`contains(lower(${name}), ${quotedText(filter.has.toLowerCase())})`);
  }
  return rules.join(" AND ");
}
