// Keys of the viewer: one table says what each does and what the help calls it.

import { word } from "./words.js";

const WINDOW_STEP = 15;

function nudge(right, down) {
  return ({ pane, dragged }) => { if (pane.stack?.gray) pane.setWindow(dragged(pane.startWindow(), right, down)); };
}

export const KEYS = [
  [["ArrowDown", "ArrowUp"], "key-next", [({ pane }) => pane.step(1), ({ pane }) => pane.step(-1)]],
  [["Home", "End"], "key-ends", [({ pane }) => pane.go(0), ({ pane }) => pane.go(Infinity)]],
  [["PageDown", "PageUp"], "key-page", [({ pane }) => pane.step(10), ({ pane }) => pane.step(-10)]],
  [["ArrowRight", "ArrowLeft"], "key-series", [({ viewer }) => viewer.nextStack(1), ({ viewer }) => viewer.nextStack(-1)]],
  [["1", "2", "3", "4", "5", "6", "7", "8", "9"], "key-preset",
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => ({ viewer }) => viewer.preset(number - 1))],
  [["w", "s", "a", "d"], "key-window", [nudge(0, -WINDOW_STEP), nudge(0, WINDOW_STEP), nudge(-WINDOW_STEP, 0), nudge(WINDOW_STEP, 0)]],
  [["i"], "key-invert", [({ pane }) => pane.invert()]],
  [["c"], "key-cine", [({ viewer }) => viewer.toggleCine()]],
  [["+", "-"], "key-zoom", [({ pane }) => pane.zoom(1.25), ({ pane }) => pane.zoom(0.8)]],
  [["h", "j", "k", "l"], "key-move", [({ pane }) => pane.move(-30, 0), ({ pane }) => pane.move(0, 30),
    ({ pane }) => pane.move(0, -30), ({ pane }) => pane.move(30, 0)]],
  [["m"], "key-length", [({ viewer }) => viewer.chooseDrag("length")]],
  [["n"], "key-angle", [({ viewer }) => viewer.chooseDrag("angle")]],
  [["o"], "key-area", [({ viewer }) => viewer.chooseDrag("area")]],
  [["r"], "key-reset", [({ pane }) => pane.reset()]],
  [["b"], "key-layout", [({ viewer }) => viewer.toggleLayout()]],
  [["x"], "key-pane", [({ viewer }) => viewer.otherPane()]],
  [["?"], "key-help", [({ viewer }) => viewer.toggleHelp()]],
  [["q"], "key-list", [({ viewer }) => viewer.leave()]],
];

const NAMES = { ArrowDown: "↓", ArrowUp: "↑", ArrowRight: "→", ArrowLeft: "←" };

export function listenToKeys(viewer, dragged) {
  const table = new Map(KEYS.flatMap(([keys, , acts]) => keys.map((key, at) => [key, acts[at]])));
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    const act = table.get(event.key);
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !act || !viewer.pane?.stack) return;
    event.preventDefault();
    act({ viewer, pane: viewer.pane, dragged });
  });
}

export function describeKeys(list) {
  list.replaceChildren(...KEYS.flatMap(([keys, name]) => {
    const term = document.createElement("dt");
    const short = keys.length > 4 ? [keys[0], "…", keys[keys.length - 1]] : keys;
    term.append(...short.map((key) => Object.assign(document.createElement("kbd"), { textContent: NAMES[key] || key })));
    const meaning = Object.assign(document.createElement("dd"), { textContent: word(name) });
    return [term, meaning];
  }));
}
