// The pixels of a picture as its file stores them: no colour management, no rotation, no scaling.

import { withoutMetadata } from "./metadata.js";

const MOST_PIXELS = 120e6;
const AS_STORED = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
// How EXIF's orientations 1..8 turn a picture of width w and height h: the matrix of a canvas.
const TURNS = [
  () => [1, 0, 0, 1, 0, 0],
  (w) => [-1, 0, 0, 1, w, 0],
  (w, h) => [-1, 0, 0, -1, w, h],
  (w, h) => [1, 0, 0, -1, 0, h],
  () => [0, 1, 1, 0, 0, 0],
  (w, h) => [0, 1, -1, 0, h, 0],
  (w, h) => [0, -1, -1, 0, h, w],
  (w) => [0, -1, 1, 0, 0, w],
];

function canvas(width, height) {
  const made = typeof OffscreenCanvas === "undefined" ? document.createElement("canvas") : new OffscreenCanvas(1, 1);
  [made.width, made.height] = [width, height];
  return made.getContext("2d", { willReadFrequently: true });
}

/** Decode a file; throws an Error with a sentence for a person. Call `close` when done. */
export async function openPicture(file, leastSide) {
  let [bitmap, orientation] = [null, 1];
  try {
    const stripped = withoutMetadata(new Uint8Array(await file.arrayBuffer()));
    orientation = stripped.orientation;
    bitmap = await createImageBitmap(new Blob(stripped.kept, { type: file.type }), AS_STORED);
  } catch {
    throw new Error("this browser cannot read it as a picture; PNG, JPEG, WebP, BMP and GIF work everywhere");
  }
  const { width, height } = bitmap;
  if (Math.min(width, height) < leastSide || width * height > MOST_PIXELS) {
    bitmap.close();
    const limit = width * height > MOST_PIXELS ? "at most 120 megapixels" : `at least ${leastSide}x${leastSide} pixels`;
    throw new Error(`it has ${width}x${height} pixels; ${limit} are needed`);
  }
  return { width, height, orientation, bitmap, band: bands(bitmap), close: () => bitmap.close() };
}

/** A function that reads `count` rows from `top` on: RGBA bytes. One band in memory at a time, for phones' sake. */
function bands(bitmap) {
  let pen = null;
  return (top, count) => {
    if (pen?.canvas.height !== count) pen = canvas(bitmap.width, count);
    pen.clearRect(0, 0, bitmap.width, count);
    pen.drawImage(bitmap, 0, -top);
    return pen.getImageData(0, 0, bitmap.width, count).data;
  };
}

/** A small copy of a picture, as stored, at most `most` pixels wide and high: a canvas's context to draw on. */
export function preview({ bitmap }, most) {
  const scale = Math.min(1, most / Math.max(bitmap.width, bitmap.height));
  const pen = canvas(...[bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale))));
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, pen.canvas.width, pen.canvas.height);
  return pen;
}

/** Show what `preview` made in a canvas element, turned as EXIF says. */
export function present({ canvas: source }, element, orientation) {
  const sides = [source.width, source.height];
  [element.width, element.height] = orientation > 4 ? [sides[1], sides[0]] : sides;
  const pen = element.getContext("2d");
  pen.setTransform(...TURNS[orientation - 1](...sides));
  pen.drawImage(source, 0, 0);
}

/** Whether this browser lets a page read true pixels: settings against tracking change or hide them. */
export async function readsTruePixels() {
  const [width, height] = [64, 16];
  const given = new ImageData(width, height);
  given.data.forEach((_, i) => (given.data[i] = i % 4 === 3 ? 255 : (i * 7919) >> 3));
  const bitmap = await createImageBitmap(given, AS_STORED);
  const seen = bands(bitmap)(0, height);
  bitmap.close();
  return seen.every((value, i) => value === given.data[i]);
}
