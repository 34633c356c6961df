// A file without what makes browsers change its pixels: the orientation (EXIF) and colour profiles of JPEG and PNG.

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const PNG_LEFT_OUT = ["eXIf", "iCCP", "sRGB", "gAMA", "cHRM", "cICP"];
const [APP1, APP2, START_OF_SCAN] = [0xe1, 0xe2, 0xda];
const ORIENTATION = 0x0112;

/** Split the bytes of a file into what is kept and the orientation, 1..8, that was taken out; others stay as they are. */
export function withoutMetadata(bytes) {
  const found = PNG.every((byte, i) => bytes[i] === byte) ? ofPng(bytes) : ofJpeg(bytes);
  let place = 0;
  const kept = [];
  for (const [start, end] of found.leftOut) {
    kept.push(bytes.subarray(place, start));
    place = end;
  }
  return { kept: [...kept, bytes.subarray(place)], orientation: found.orientation };
}

const text = (bytes, start, end) => String.fromCharCode(...bytes.subarray(start, end));
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function ofJpeg(bytes) {
  const data = view(bytes);
  const leftOut = [];
  let orientation = 1;
  let place = 2; // behind the mark of a JPEG's start
  while (bytes[0] === 0xff && bytes[1] === 0xd8 && place + 4 <= bytes.length && bytes[place] === 0xff) {
    const marker = bytes[place + 1];
    if (marker === START_OF_SCAN) break;
    if (marker === 0xff) {
      place++; // fill bytes may stand before a marker
      continue;
    }
    const end = place + 2 + data.getUint16(place + 2);
    const exif = marker === APP1 && text(bytes, place + 4, place + 8) === "Exif";
    if (exif) orientation = orientationOf(bytes.subarray(place + 10, end));
    if (exif || (marker === APP2 && text(bytes, place + 4, place + 15) === "ICC_PROFILE")) leftOut.push([place, end]);
    place = end;
  }
  return { leftOut, orientation };
}

function ofPng(bytes) {
  const data = view(bytes);
  const leftOut = [];
  let orientation = 1;
  for (let place = PNG.length; place + 12 <= bytes.length; ) {
    const end = place + 12 + data.getUint32(place);
    const name = text(bytes, place + 4, place + 8);
    if (name === "eXIf") orientation = orientationOf(bytes.subarray(place + 8, end - 4));
    if (PNG_LEFT_OUT.includes(name)) leftOut.push([place, end]);
    place = end;
  }
  return { leftOut, orientation };
}

/** The orientation in an EXIF block; 1 where there is none or the block is damaged. */
function orientationOf(bytes) {
  const data = view(bytes);
  try {
    const little = text(bytes, 0, 2) === "II";
    const directory = data.getUint32(4, little);
    for (let i = 0; i < data.getUint16(directory, little); i++) {
      const entry = directory + 2 + 12 * i;
      if (data.getUint16(entry, little) !== ORIENTATION) continue;
      const value = data.getUint16(entry + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // read past the end of the block
  }
  return 1;
}
