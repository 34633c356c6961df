// The page: takes pictures, asks the network about one after the other, shows the answers.

import { toCsv } from "./csv.js";
import { colourRange, drawMap } from "./drawing.js";
import { loadNetwork } from "./network.js";
import { openPicture, present, preview, readsTruePixels } from "./picture.js";

const PREVIEW = 1024; // pixels of the longer side
const byId = (id) => document.getElementById(id);
const say = (text) => (byId("status").textContent = text);
const answers = []; // {file, ...answer} in the order of the cards
let [waiting, finished, network] = [Promise.resolve(), 0, null];

const ready = start();

async function start() {
  if (!(await readsTruePixels())) {
    throw new Error("This browser changes the pixels that pages may read, a setting against tracking. The traces of a " +
      "compression are lost in it, so there is no answer here; allow canvas access for this page, or use another browser.");
  }
  network = await loadNetwork();
  say("Ready.");
}

ready.catch((error) => {
  say(`It does not run here: ${error.message ?? error}`);
  byId("status").className = "problem";
  byId("files").disabled = true;
});

/** Queue pictures: one at a time, so that a hundred do not fill the memory. */
function take(files) {
  for (const file of files) {
    const card = byId("card").content.cloneNode(true).firstElementChild;
    const [name, button] = ["h2", "button"].map((part) => card.querySelector(part));
    name.textContent = file.name;
    name.id = `picture-${answers.length}`;
    button.setAttribute("aria-describedby", name.id); // which picture's map
    card.querySelector(".note").textContent = "waiting …";
    byId("answers").append(card);
    const place = answers.push({ file: file.name }) - 1;
    waiting = waiting.then(() => ready).then(() => judge(file, card, place), () => {});
  }
  progress();
}

function progress() {
  if (network) say(finished < answers.length ? `${finished} of ${answers.length} pictures done` : `${finished} ${finished === 1 ? "picture" : "pictures"} done`);
  byId("save").hidden = finished === 0;
}

async function judge(file, card, place) {
  let picture;
  try {
    picture = await openPicture(file, network.leastSide);
    const shown = card.querySelector("canvas");
    present(preview(picture, PREVIEW), shown, picture.orientation);
    shown.setAttribute("aria-label", file.name);
    const started = performance.now();
    const said = await network.estimate(picture);
    answers[place] = { file: file.name, ...said, seconds: (performance.now() - started) / 1000 };
    show(card, answers[place]);
    if (said.patches > 1) offerMap(file, card);
  } catch (error) {
    answers[place] = { file: file.name, reason: error.message };
    card.classList.add("failed");
    card.querySelector("canvas").hidden = true;
    show(card, answers[place]);
  } finally {
    picture?.close();
    finished++;
    progress();
  }
}

/** Put an answer into its card. */
function show(card, { quality = null, low, high, reason, confident, patches }) {
  card.querySelector(".quality b").textContent = quality === null ? "unknown" : quality.toFixed(1);
  card.querySelector(".quality span").textContent = quality === null ? "" : `90 % interval ${low.toFixed(1)} to ${high.toFixed(1)}`;
  card.querySelector(".note").textContent = reason ?? `${confident} of ${patches} patches were sure enough to count`;
  const scale = card.querySelector(".scale");
  scale.hidden = quality === null;
  for (const [name, value] of Object.entries({ low, high, at: quality })) scale.style.setProperty(`--${name}`, `${value}%`);
}

/** Let the button draw the map over the preview and take it away again. */
function offerMap(file, card) {
  const [button, drawn, legend, told] = ["button", "canvas", ".legend", ".told"].map((name) => card.querySelector(name));
  let found = null;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.disabled = true;
    let picture;
    try {
      picture = await openPicture(file, network.leastSide);
      if (shown) found ??= await network.map(picture, (share) => (told.textContent = `${Math.round(100 * share)} %`));
      const pen = preview(picture, PREVIEW);
      told.textContent = shown ? describe(drawMap(pen, found, picture, network.settings.map.difference), found) : "";
      present(pen, drawn, picture.orientation);
    } catch (error) {
      told.textContent = error.message;
    } finally {
      picture?.close();
      button.disabled = false;
    }
    const [first, last] = legend.querySelectorAll("span");
    [first.textContent, last.textContent] = found ? colourRange(found).map((value) => value.toFixed(0)) : ["", ""];
    legend.hidden = !shown || !found;
    card.classList.toggle("wide", shown);
    button.setAttribute("aria-pressed", String(shown));
    button.textContent = shown ? "Hide the map" : "Show the map";
  });
}

function describe(outlined, { main }) {
  const part = main === null ? "The main part has no answer" : `The main part: ${main.toFixed(0)}`;
  return `${part}. ${outlined ? "Outlined: what is unlike it" : "No region is unlike it"}. Gray: unknown.`;
}

function takeChosen() {
  take(byId("files").files);
  byId("files").value = ""; // the same file may be chosen again
}

byId("files").addEventListener("change", takeChosen);
if (byId("files").files.length) takeChosen(); // chosen while the page was loading
byId("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([toCsv(answers)], { type: "text/csv" }));
  link.download = "qualities.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault(); // or the browser would open the picture
    byId("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && !byId("files").disabled) take(event.dataTransfer.files);
  });
}
document.addEventListener("paste", ({ clipboardData }) => {
  if (!byId("files").disabled) take(clipboardData.files);
});
