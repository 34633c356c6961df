// The network: the shipped .tflite in LiteRT's WebAssembly runtime.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { answer } from "./answer.js";
import { regions } from "./map.js";
import { cutBand, gridStarts, mapStarts } from "./patches.js";

const KIND = "float32"; // answers as the Python command does
const pause = () => new Promise((resolve) => setTimeout(resolve)); // so that the page stays alive

/** Load runtime and model; `settings` is phone.json. */
export async function loadNetwork() {
  const base = new URL(".", import.meta.url);
  const settings = await (await fetch(new URL("model/phone.json", base))).json();
  const model = settings.models[KIND];
  await loadLiteRt(new URL("runtime/", base).href);
  const compiled = await loadAndCompile(new URL(`model/${model.file}`, base).href, { accelerator: "wasm" });
  return new Network(settings, model, compiled);
}

class Network {
  constructor(settings, model, compiled) {
    Object.assign(this, { settings, model, compiled });
    this.leastSide = 3 * settings.block;
  }

  /** The answer for an opened picture; see `answer`. */
  async estimate(picture) {
    const [rows, columns] = [gridStarts(picture.height, this.settings), gridStarts(picture.width, this.settings)];
    const { said, usable } = await this.#ask(picture, rows, columns, () => {});
    return answer(said, usable, this.model, this.settings.least_share);
  }

  /** The quality of every region; `progress` is called with a share 0..1. */
  async map(picture, progress) {
    const places = mapStarts(picture.width, picture.height, this.settings);
    const { said, usable } = await this.#ask(picture, places.rows, places.columns, progress);
    const seen = said.map((row, i) => (usable[i].opaque && !usable[i].flat ? row : [0, 0]));
    return regions(seen, places, this.model, this.settings);
  }

  /** Ask the network about the patches at every pair of rows and columns, a full batch at a time. */
  async #ask(picture, rows, columns, progress) {
    const { batch, patch } = this.settings;
    const size = patch * patch * 3;
    const buffer = new Float32Array(batch * size);
    const [said, usable] = [[], []];
    let filled = 0;
    for (const [number, row] of rows.entries()) {
      const band = cutBand(picture.band(row, patch), picture.width, columns, this.settings);
      usable.push(...band.usable);
      for (let i = 0; i < columns.length; i++) {
        buffer.set(band.input.subarray(i * size, (i + 1) * size), filled++ * size);
        if (filled === batch) {
          said.push(...(await this.#run(buffer, filled)));
          filled = 0;
          progress((number + 1) / rows.length);
          await pause();
        }
      }
    }
    buffer.fill(0, filled * size);
    if (filled) said.push(...(await this.#run(buffer, filled)));
    return { said, usable };
  }

  async #run(values, count) {
    const { batch, patch } = this.settings;
    const input = new Tensor(values, [batch, patch, patch, 3]);
    const [output] = await this.compiled.run([input]);
    const found = output.toTypedArray();
    const rows = Array.from({ length: count }, (_, i) => [found[2 * i], found[2 * i + 1]]);
    input.delete();
    output.delete();
    return rows;
  }
}
