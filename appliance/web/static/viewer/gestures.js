// Mouse, pen and finger on a pane: the wheel goes through the stack, a drag does what the reader chose.

import { dragged } from "./windows.js";

function measured(pane, event, begun, end, finished = () => {}) {
  const from = pane.point(event);
  let measure = null;
  return (dx, dy, done, now) => {
    const to = pane.point(now);
    if (!from || !to) return;
    if (!measure && Math.hypot(dx, dy) > 3) measure = pane.add(begun(from, to));
    if (!measure) return;
    measure[end] = to;
    pane.draw();
    if (done) finished(measure);
  };
}

const DRAGS = {
  window(pane) {
    const start = pane.startWindow();
    return (dx, dy, done) => pane.setWindow(dragged(start, dx, dy), { settle: done });
  },
  pan(pane) {
    let [x, y] = [0, 0];
    return (dx, dy) => { pane.move(dx - x, dy - y); [x, y] = [dx, dy]; };
  },
  zoom(pane) {
    const start = pane.scale;
    return (dx, dy) => pane.zoom((start * Math.exp(-dy / 200)) / pane.scale);
  },
  length: (pane, event) => measured(pane, event, (from, to) => ({ kind: "length", from, to }), "to"),
  area: (pane, event) => measured(pane, event, (from, to) => ({ kind: "area", from, to }), "to", (area) => pane.look(area)),
  // One drag draws the first side, towards the corner; the other side then follows until the next press.
  angle(pane, event) {
    if (pane.openAngle) {
      Object.assign(pane.openAngle, { to: pane.point(event) });
      pane.openAngle = null;
      pane.draw();
      return () => {};
    }
    const begun = (from, corner) => ({ kind: "angle", from, corner });
    return measured(pane, event, begun, "corner", (angle) => { pane.openAngle = angle; });
  },
};

function tool(event, chosen) {
  if (event.button === 1) return "pan";
  if (event.button === 2) return "zoom";
  return chosen;
}

export function listen(pane, chosen) {
  const root = pane.root;
  let wheel = 0;
  root.addEventListener("wheel", (event) => {
    if (pane.stack?.kind !== "image") return;
    event.preventDefault();
    if (event.ctrlKey) { pane.zoom(Math.exp(-event.deltaY / 300)); return; }
    wheel += event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * 40;
    const steps = Math.trunc(wheel / 40);
    wheel -= steps * 40;
    if (steps) pane.step(steps);
  }, { passive: false });
  root.addEventListener("contextmenu", (event) => { if (pane.stack?.kind === "image") event.preventDefault(); });
  root.addEventListener("pointermove", (event) => {
    if (!pane.openAngle || event.buttons) return;
    pane.openAngle.to = pane.point(event);
    pane.draw();
  });
  root.addEventListener("pointerdown", (event) => {
    if (pane.stack?.kind !== "image" || event.button > 2) return;
    const name = tool(event, chosen());
    if (name === "window" && !pane.stack.gray) return;
    const act = DRAGS[name](pane, event);
    const { clientX, clientY } = event;
    root.setPointerCapture(event.pointerId);
    const moved = (now) => act(now.clientX - clientX, now.clientY - clientY, false, now);
    const ended = (now) => {
      root.removeEventListener("pointermove", moved);
      if (now.type === "pointerup" && (now.clientX !== clientX || now.clientY !== clientY))
        act(now.clientX - clientX, now.clientY - clientY, true, now);
    };
    root.addEventListener("pointermove", moved);
    root.addEventListener("pointerup", ended, { once: true });
    root.addEventListener("pointercancel", ended, { once: true });
  });
}
