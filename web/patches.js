// Where the patches of a picture lie, and how they are cut out. `settings` is phone.json.

/** Where patches start along a side of `length` pixels: at most 16 places, each once, in order. */
export function gridStarts(length, { block, grid }) {
  const blocks = Math.floor(length / block) - 2; // with neighbours on both sides
  const starts = Array.from({ length: grid }, (_, i) => block * Math.floor(((i + 1) * blocks) / (grid + 1)) + block / 2);
  return [...new Set(starts)];
}

/** The same for a map: every block of a side, or every n-th where the picture holds more patches than are asked for. */
export function mapStarts(width, height, { block, map }) {
  const [across, down] = [width, height].map((length) => Math.floor(length / block) - 2);
  const step = Math.ceil(Math.sqrt((across * down) / map.most_patches));
  const starts = (count) => Array.from({ length: Math.ceil(count / step) }, (_, i) => block * step * i + block / 2);
  return { step, rows: starts(down), columns: starts(across) };
}

/**
 * Cut patches out of a band of a picture: RGBA bytes, `patch` rows high and `width` pixels wide.
 *
 * Returns the model's input, a patch after the other in the channel order of the weights, and for each patch whether
 * it says anything: one of a single colour or with transparent pixels does not.
 */
export function cutBand(rgba, width, columns, { patch, channel_order: order }) {
  const channels = [...order].map((name) => "RGB".indexOf(name));
  const input = new Float32Array(columns.length * patch * patch * 3);
  const usable = [];
  let place = 0;
  for (const column of columns) {
    const first = 4 * column;
    let [flat, opaque] = [true, true];
    for (let y = 0; y < patch; y++) {
      for (let x = 0; x < patch; x++) {
        const pixel = 4 * (y * width + column + x);
        for (const channel of channels) {
          input[place++] = rgba[pixel + channel];
          flat &&= rgba[pixel + channel] === rgba[first + channel];
        }
        opaque &&= rgba[pixel + 3] === 255;
      }
    }
    usable.push({ flat, opaque });
  }
  return { input, usable };
}
