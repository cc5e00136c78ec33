// The upload page: files in by drop or choice, what became of each in plain words.

import { word } from "../viewer/words.js";
import { chosen, dropped } from "./files.js";
import { Queue } from "./queue.js";

const MOST_TROUBLES = 500;
const at = (id) => document.getElementById(id);
let cancelled = false;
let drawn = 0;

function line(text) {
  return Object.assign(document.createElement("li"), { textContent: text });
}

function link(uid) {
  const item = document.createElement("li");
  item.append(Object.assign(document.createElement("a"), { href: `/studies/${uid}`, textContent: word("open", { uid }) }));
  return item;
}

function under(item, bytes) {
  const made = line(`${item.path} `);
  const progress = Object.assign(document.createElement("progress"), { max: item.file?.size || 1, value: bytes });
  progress.setAttribute("aria-label", item.path);
  made.append(progress);
  return made;
}

function draw() {
  drawn = 0;
  const { done, count, stored, duplicates, failed } = queue;
  const text = word("total", { done, count, stored, duplicates, failed });
  at("work").hidden = false;
  at("total").textContent = cancelled ? word("cancelled", { summary: text }) : text;
  at("bar").value = queue.share;
  at("cancel").disabled = queue.idle;
  at("current").replaceChildren(...[...queue.current].map(([item, bytes]) => under(item, bytes)));
  const known = at("studies").children.length;
  at("studies").append(...[...queue.studies].slice(known).map(link));
  at("troubles-title").hidden = !failed;
  const told = at("troubles").children.length;
  at("troubles").append(...queue.troubles.slice(told, MOST_TROUBLES).map(({ path, key, values }) => line(`${path}: ${word(key, values)}`)));
  at("work").dataset.idle = String(queue.idle);
}

const queue = new Queue(() => { drawn ||= setTimeout(draw, 50); });

function take(items) {
  cancelled = false;
  queue.add(items);
}

function takeFrom(input) {
  if (!input.files.length) return;
  take(chosen(input.files));
  input.value = "";
}

for (const input of [at("files"), at("folder")]) {
  input.addEventListener("change", () => takeFrom(input));
  // Whoever is quick has chosen before this script arrived: that change was told to nobody.
  takeFrom(input);
}
at("cancel").addEventListener("click", () => { cancelled = true; queue.cancel(); });
for (const kind of ["dragover", "dragleave", "drop"]) document.addEventListener(kind, (event) => {
  event.preventDefault();
  at("drop").classList.toggle("over", kind === "dragover");
});
document.addEventListener("drop", async (event) => take(await dropped(event.dataTransfer)));
addEventListener("beforeunload", (event) => { if (!queue.idle) event.preventDefault(); });
