// The map over the picture: a tint a region, and an outline around what is unlike the main part.

import { nearest, unlike } from "./map.js";

const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const OUTLINE = "#ff4d6d";
const TINT = 0.55;
const REACH = 15; // qualities on either side of the main part that the colours tell apart

/** The qualities at the ends of the colour scale: well past the main part, so that noise does not fill the colours. */
export function colourRange({ quality, main }) {
  const known = quality.flat().filter((value) => value !== null);
  const ends = main === null ? [1, 100] : [main - REACH, main + REACH];
  return [Math.max(1, Math.min(...known, ends[0])), Math.min(100, Math.max(...known, ends[1]))];
}

function colour(value, [low, high]) {
  const place = Math.min(Math.max((value - low) / (high - low), 0), 1) * (VIRIDIS.length - 1);
  const first = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[first].map((channel, i) => channel + (place - first) * (VIRIDIS[first + 1][i] - channel));
}

/** Draw the map over a `preview` of the picture, whose own size is `width` x `height`; returns how many are outlined. */
export function drawMap(pen, found, { width, height }, leastDifference) {
  const element = pen.canvas;
  const range = colourRange(found);
  const rowOf = nearest(found.rows, found.side, height, element.height);
  const columnOf = nearest(found.columns, found.side, width, element.width);
  const image = pen.getImageData(0, 0, element.width, element.height);
  const colours = found.quality.map((row) => row.map((value) => (value === null ? null : colour(value, range))));
  for (let y = 0, place = 0; y < element.height; y++) {
    for (let x = 0; x < element.width; x++, place += 4) {
      const [red, green, blue] = image.data.subarray(place, place + 3);
      const gray = 80 + (175 / 255) * (0.299 * red + 0.587 * green + 0.114 * blue); // paler, so that colours are seen
      const tint = colours[rowOf[y]][columnOf[x]];
      for (let i = 0; i < 3; i++) image.data[place + i] = tint ? (1 - TINT) * gray + TINT * tint[i] : gray;
    }
  }
  pen.putImageData(image, 0, 0);
  return outline(pen, unlike(found, leastDifference), rowOf, columnOf);
}

/** Outline the marked windows; returns how many there are. */
function outline(pen, marked, rowOf, columnOf) {
  const edges = (indices) => (window) => [indices.indexOf(window), indices.lastIndexOf(window) + 1];
  const [down, across] = [edges(rowOf), edges(columnOf)];
  const at = (i, j) => marked[i]?.[j] ?? false;
  const line = (...[x1, y1, x2, y2]) => (pen.moveTo(x1, y1), pen.lineTo(x2, y2));
  let count = 0;
  pen.beginPath();
  marked.forEach((row, i) =>
    row.forEach((mark, j) => {
      if (!mark) return;
      count++;
      const [[top, bottom], [left, right]] = [down(i), across(j)];
      if (!at(i - 1, j)) line(left, top, right, top);
      if (!at(i + 1, j)) line(left, bottom, right, bottom);
      if (!at(i, j - 1)) line(left, top, left, bottom);
      if (!at(i, j + 1)) line(right, top, right, bottom);
    }),
  );
  pen.strokeStyle = OUTLINE;
  pen.lineWidth = Math.max(2, pen.canvas.width / 250);
  pen.stroke();
  return count;
}
