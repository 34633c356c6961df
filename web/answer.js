// From the answers of many patches to one answer for the picture: the same steps as classifier/q1net in Python.

/** The value below which a share 0..1 of sorted numbers lies, on a straight line between two of them. */
export function quantile(sorted, share) {
  const place = share * (sorted.length - 1);
  const first = Math.floor(place);
  const second = Math.min(first + 1, sorted.length - 1);
  return sorted[first] + (place - first) * (sorted[second] - sorted[first]);
}

/** The straight lines through the points (knots, values) at x; the end values outside. */
export function interpolate(x, knots, values) {
  const after = knots.findIndex((knot) => knot > x);
  if (after === 0) return values[0];
  if (after < 0) return values.at(-1);
  const share = (x - knots[after - 1]) / (knots[after] - knots[after - 1]);
  return values[after - 1] + share * (values[after] - values[after - 1]);
}

/**
 * The answer for a picture.
 *
 * `said` holds a [confidence, quality] for each patch, both 0..100; `usable` what `cutBand` said of each; `model` is an
 * entry of `models` in phone.json. Returns {quality, low, high, reason, uncorrected, confident, patches}: quality with
 * its 90 % interval, or null and the reason.
 */
export function answer(said, usable, model, leastShare) {
  const textured = usable.filter(({ flat, opaque }) => !flat && opaque).length;
  const counted = said.filter(([confidence], i) => !usable[i].flat && usable[i].opaque && confidence > model.threshold);
  const confident = counted.length;
  const told = { quality: null, low: null, high: null, reason: null, uncorrected: null, confident, patches: said.length };
  if (usable.every(({ opaque }) => !opaque)) return { ...told, reason: "the picture is transparent all over" };
  if (textured === 0) return { ...told, reason: "the picture is flat all over" };
  if (confident === 0) return { ...told, reason: `none of ${said.length} patches is confident` };

  const qualities = counted.map(([, quality]) => quality).sort((a, b) => a - b);
  const uncorrected = quantile(qualities, 0.5);
  const quality = interpolate(uncorrected, model.correction.knots, model.correction.values);
  if (confident < leastShare * textured) {
    const few = `${confident} of ${said.length}, about ${quality.toFixed(0)}`;
    return { ...told, uncorrected, reason: `too few confident patches to rely on: ${few}` };
  }
  const spread = quantile(qualities, 0.75) - quantile(qualities, 0.25);
  if (spread > model.interval.most_spread) {
    const half = `half of ${confident} lie ${spread.toFixed(0)} apart, about ${quality.toFixed(0)}`;
    const reason = `the confident patches differ, as with tables that are not standard: ${half}`;
    return { ...told, uncorrected, reason };
  }
  const [low, high] = interval(quality, counted, spread, model.interval);
  return { ...told, quality, low, high, uncorrected };
}

/** The interval around a corrected answer: wider where the patches expect an error, differ, or are few. */
function interval(quality, counted, spread, { edges, offsets }) {
  const expected = 100 - counted.reduce((sum, [confidence]) => sum + confidence, 0) / counted.length;
  const error = (expected + spread) / Math.sqrt(counted.length);
  const bin = edges.filter((edge) => edge <= error).length;
  return offsets[bin].map((offset) => Math.round(100 * Math.min(Math.max(quality + offset, 1), 100)) / 100);
}
