// The quality of every region of a picture, as `network_regions` and `Regions` do in classifier/estimators/local.py.

import { interpolate } from "./answer.js";

/** Rows [confidence, quality] above the threshold by quality, each with its weight, 1 / (100 - confidence). */
function weighted(said, threshold, smallestError) {
  const rows = said.filter(([confidence]) => confidence > threshold).sort((a, b) => a[1] - b[1]);
  const weights = rows.map(([confidence]) => 1 / Math.max(100 - confidence, smallestError));
  return { qualities: rows.map(([, quality]) => quality), weights, half: weights.reduce((a, b) => a + b, 0) / 2 };
}

/** The lower weighted median of the confident rows, or null: a window's answer. */
export function lowerMedian(said, threshold, smallestError) {
  const { qualities, weights, half } = weighted(said, threshold, smallestError);
  let reached = 0;
  return qualities.find((_, i) => (reached += weights[i]) >= half) ?? null;
}

/** The weighted median between two rows, or null: the answer for the main part. */
export function middleMedian(said, threshold, smallestError) {
  const { qualities, weights, half } = weighted(said, threshold, smallestError);
  let sum = 0;
  const places = weights.map((weight) => (sum += weight) - weight / 2);
  return qualities.length ? interpolate(half, places, qualities) : null;
}

/**
 * Windows of a picture and their qualities.
 *
 * `said` holds [confidence, quality] for every patch of `rows` x `columns` (from `mapStarts`), row by row. Returns
 * where windows begin, their side in pixels, the quality of each (null: unknown) and that of the main part.
 */
export function regions(said, { rows, columns, step }, model, { block, map }) {
  const across = Math.max(1, Math.min(Math.floor(map.window / (block * step)), rows.length, columns.length));
  const hop = Math.max(1, Math.floor(across / 2));
  const first = (starts) => starts.filter((_, i) => i % hop === 0 && i + across <= starts.length);
  const threshold = Math.min(model.threshold, map.confidence);
  const [tops, lefts] = [first(rows), first(columns)];
  const quality = tops.map((_, i) =>
    lefts.map((_, j) => {
      const inside = [];
      for (let y = i * hop; y < i * hop + across; y++) {
        const start = y * columns.length + j * hop;
        inside.push(...said.slice(start, start + across));
      }
      return lowerMedian(inside, threshold, map.smallest_error);
    }),
  );
  const begin = (starts) => starts.map((start) => start + block / 2); // the middle block of the first patch
  const main = middleMedian(said, model.threshold, map.smallest_error);
  return { rows: begin(tops), columns: begin(lefts), side: across * block * step, quality, main };
}

/** For each of `count` equal steps along a side, the index of the window whose centre is nearest. */
export function nearest(starts, side, length, count) {
  let window = 0;
  return Array.from({ length: count }, (_, i) => {
    const at = ((i + 0.5) * length) / count;
    while (window + 1 < starts.length && (starts[window] + starts[window + 1] + side) / 2 < at) window++;
    return window;
  });
}

/** For each window whether it is unlike the main part; none where all are. */
export function unlike({ quality, main }, leastDifference) {
  const known = quality.flat().filter((value) => value !== null);
  const level = Math.max(leastDifference, (Math.max(...known) - Math.min(...known)) / 2);
  const marked = quality.map((row) => row.map((value) => value !== null && main !== null && Math.abs(value - main) > level));
  return marked.flat().every(Boolean) ? marked.map((row) => row.map(() => false)) : marked;
}
