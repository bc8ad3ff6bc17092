/** Features to probabilities, as the model's makers do it: the softmax of scaled cosines. */

const PLACE = /\{c?\}/g;

/** @param {string} template @param {string} label */
export const filled = (template, label) => template.replace(PLACE, () => label);

/** @param {Float32Array} a @param {Float32Array} b */
const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);

/**
 * One vector of length 1 for several sentences about the same thing.
 * @param {Float32Array[]} vectors
 */
export function mean(vectors) {
  const sum = new Float32Array(vectors[0].length);
  for (const vector of vectors) vector.forEach((value, index) => { sum[index] += value; });
  const length = Math.sqrt(dot(sum, sum));
  return sum.map((value) => value / length);
}

/**
 * @param {Float32Array} picture
 * @param {Float32Array[]} labels
 * @param {number} scale
 * @returns {number[]} which add up to 1
 */
export function probabilities(picture, labels, scale) {
  const logits = labels.map((label) => scale * dot(picture, label));
  const most = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
