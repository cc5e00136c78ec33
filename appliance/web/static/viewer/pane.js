// One picture area: a stack, where in it the reader is, and how the picture is shown.

import { frameAddress } from "./addresses.js";
import { showDocument } from "./documents.js";
import { drawMeasures } from "./measures.js";
import { Refusal } from "./pictures.js";
import { facts } from "./spacing.js";
import { edgeFor, shapeOf } from "./sizes.js";
import { neighbours } from "./stack.js";
import { statistics, valuesOf } from "./values.js";
import { preview, shownNumber } from "./windows.js";
import { word } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const EXACT_AFTER = 120;
// Beside a picture of this edge few others are fetched ahead: each is some fifty megabytes.
const LARGE = 2048;

function made(parent, name, cls) {
  const element = document.createElement(name);
  element.className = cls;
  parent.append(element);
  return element;
}

export class Pane {
  constructor(parent, number, pictures, changed) {
    Object.assign(this, { pictures, changed, stack: null, index: 0, direction: 1, measures: new Map(), facts: null });
    this.root = made(parent, "section", "pane");
    this.root.tabIndex = 0;
    this.root.setAttribute("aria-label", word("pane", { number }));
    this.canvas = made(this.root, "canvas", "picture");
    this.overlay = document.createElementNS(SVG, "svg");
    this.overlay.setAttribute("class", "overlay");
    this.root.append(this.overlay);
    this.filter(number);
    this.document = made(this.root, "div", "document");
    this.title = made(this.root, "p", "corner title");
    this.label = made(this.root, "p", "corner label");
    this.problem = made(this.root, "p", "problem");
    this.problem.setAttribute("role", "status");
    this.resetView();
    new ResizeObserver(() => { this.draw(); this.sharpen(); }).observe(this.root);
  }

  filter(number) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "filters");
    svg.setAttribute("aria-hidden", "true");
    const filter = svg.appendChild(document.createElementNS(SVG, "filter"));
    filter.id = `voi${number}`;
    filter.setAttribute("color-interpolation-filters", "sRGB");
    const transfer = filter.appendChild(document.createElementNS(SVG, "feComponentTransfer"));
    this.functions = ["feFuncR", "feFuncG", "feFuncB"].map((name) => {
      const one = transfer.appendChild(document.createElementNS(SVG, name));
      one.setAttribute("type", "linear");
      return one;
    });
    this.filterId = filter.id;
    this.root.append(svg);
  }

  resetView() {
    Object.assign(this, { scale: 1, x: 0, y: 0, inverted: false, window: null, drawnWindow: null, bitmap: null });
  }

  show(stack, index = 0) {
    this.stack = stack;
    this.index = Math.min(index, Math.max(0, stack.pictures.length - 1));
    this.facts = null;
    this.resetView();
    this.window = this.firstWindow();
    this.problem.textContent = "";
    const image = stack.kind === "image";
    this.root.classList.toggle("reads", !image);
    this.document.replaceChildren();
    this.title.textContent = stack.title;
    if (image) {
      this.draw();
      this.load();
      facts(this.picture).then((found) => { if (this.stack === stack) { this.facts = found; this.draw(); this.changed(this); } });
    } else {
      this.label.textContent = "";
      showDocument(this.document, stack);
    }
    this.changed(this);
  }

  // More pictures have arrived in the same series: the reader stays where they are.
  grow(stack) {
    const at = this.picture;
    const index = stack.pictures.findIndex((one) => one.instance === at?.instance && one.frame === at?.frame);
    this.stack = stack;
    this.index = Math.max(0, index);
    this.describe();
  }

  get picture() { return this.stack?.pictures[this.index]; }

  firstWindow() {
    const [first] = this.stack.windows || [];
    return this.stack.gray && first ? { center: first[0], width: first[1] } : null;
  }

  // What a drag starts from when the picture came without a window.
  startWindow() {
    const [center, width] = this.stack.range;
    return this.window || { center, width };
  }

  address(picture = this.picture) {
    const [own, window] = [this.firstWindow(), this.window];
    const same = own && window && own.center === window.center && own.width === window.width;
    return frameAddress(picture, same ? null : window, { edge: this.edge(picture) });
  }

  edge(picture) {
    const { clientWidth: width, clientHeight: height } = this.root;
    const fit = Math.min(width / (picture.columns || 1), height / (picture.rows || 1)) * this.scale * (devicePixelRatio || 1);
    return edgeFor(picture, Math.max(picture.columns || 0, picture.rows || 0) * fit);
  }

  // A picture that is enlarged is asked for with more of its pixels.
  sharpen() {
    if (this.stack?.kind !== "image" || !this.picture || this.address() === this.asked) return;
    clearTimeout(this.exact);
    this.exact = setTimeout(() => this.load(), EXACT_AFTER);
  }

  go(index) {
    if (!this.stack?.pictures.length || this.stack.kind !== "image") return;
    const wanted = Math.min(Math.max(index, 0), this.stack.pictures.length - 1);
    if (wanted === this.index) return;
    this.direction = wanted > this.index ? 1 : -1;
    this.index = wanted;
    this.openAngle = null;
    this.load();
    this.changed(this);
  }

  step(by) { this.go(this.index + by); }

  setWindow(window, { settle = true } = {}) {
    if (!this.stack?.gray) return;
    this.window = window;
    this.draw();
    clearTimeout(this.exact);
    this.exact = setTimeout(() => this.load(), settle ? 0 : EXACT_AFTER);
    this.changed(this);
  }

  async load() {
    const { stack, index, picture, window } = this;
    const address = this.address();
    this.asked = address;
    this.describe();
    this.root.classList.toggle("waits", !this.pictures.here(address));
    const current = () => this.stack === stack && this.index === index && this.asked === address;
    try {
      const bitmap = await this.pictures.get(address, this);
      if (!current()) return;
      Object.assign(this, { bitmap, drawnWindow: window, drawnPicture: picture });
      this.pictures.hold(this, bitmap);
      this.problem.textContent = "";
      this.root.dataset.shown = address;
      this.draw();
      const reach = Math.max(bitmap.width, bitmap.height) > LARGE ? [2, 1] : [12, 4];
      const near = neighbours(index, stack.pictures.length, this.direction, ...reach);
      this.pictures.prefetch(near.map((at) => this.address(stack.pictures[at])));
    } catch (error) {
      if (error.name === "AbortError" || !current()) return;
      this.bitmap = null;
      this.root.dataset.shown = "";
      this.problem.textContent = word("failed", { reason: error instanceof Refusal ? error.message : word("silent") });
      this.draw();
    } finally {
      if (current()) this.root.classList.remove("waits");
    }
  }

  describe() {
    if (!this.stack || this.stack.kind !== "image") return;
    const lines = [word("image", { number: this.index + 1, count: this.stack.pictures.length })];
    if (this.window) lines.push(word("window", { width: shownNumber(this.window.width), center: shownNumber(this.window.center) }));
    lines.push(`${Math.round(this.scale * 100)} %`);
    this.label.textContent = lines.join(" · ");
  }

  // The picture fits the pane at scale 1. Points are in the object's own pixels, whose two sides may differ in length.
  geometry() {
    const { clientWidth: width, clientHeight: height } = this.root;
    const bitmap = this.bitmap;
    if (!bitmap || !width || !height) return null;
    const { columns, rows, aspect } = shapeOf(this.drawnPicture, bitmap);
    const fit = Math.min(width / columns, height / (rows * aspect)) * this.scale;
    const [wide, high] = [columns * fit, rows * aspect * fit];
    return { left: (width - wide) / 2 + this.x, top: (height - high) / 2 + this.y, wide, high, perX: fit, perY: fit * aspect };
  }

  place(point) {
    const at = this.geometry();
    return at ? { x: at.left + point.x * at.perX, y: at.top + point.y * at.perY } : { x: 0, y: 0 };
  }

  point(event) {
    const at = this.geometry();
    const box = this.root.getBoundingClientRect();
    return at ? { x: (event.clientX - box.left - at.left) / at.perX, y: (event.clientY - box.top - at.top) / at.perY } : null;
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(this.root.clientWidth * ratio), Math.round(this.root.clientHeight * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const at = this.geometry();
    if (at) {
      context.imageSmoothingEnabled = at.perX * ratio < 3;
      context.drawImage(this.bitmap, at.left * ratio, at.top * ratio, at.wide * ratio, at.high * ratio);
    }
    this.tone();
    const spacing = this.facts?.spacing ?? null;
    const aspect = at ? at.perY / at.perX : 1;
    drawMeasures(this.overlay, this.measures.get(this.measureKey()) || [], (point) => this.place(point), spacing, aspect);
    this.describe();
  }

  tone() {
    const { slope, intercept } = preview(this.drawnWindow, this.window, this.inverted, this.stack?.inverse);
    for (const one of this.functions) {
      one.setAttribute("slope", String(slope));
      one.setAttribute("intercept", String(intercept));
    }
    this.canvas.style.filter = slope === 1 && intercept === 0 ? "" : `url(#${this.filterId})`;
  }

  measureKey() { return this.picture ? `${this.picture.instance}/${this.picture.frame}` : ""; }

  // `measure` is {kind: "length", "angle" or "area", from, to, ...} in pixels of the object.
  add(measure) {
    const key = this.measureKey();
    this.measures.set(key, [...(this.measures.get(key) || []), measure]);
    this.draw();
    return measure;
  }

  async look(area) {
    if (!this.stack?.gray) return;
    try {
      area.values = statistics(await valuesOf(this.picture), area.from, area.to);
    } catch {
      area.problem = true;
    }
    this.draw();
  }

  zoom(factor) {
    this.scale = Math.min(20, Math.max(0.1, this.scale * factor));
    this.draw();
    this.sharpen();
  }

  move(x, y) {
    this.x += x;
    this.y += y;
    this.draw();
  }

  invert() {
    this.inverted = !this.inverted;
    this.draw();
    this.changed(this);
  }

  reset() {
    const [bitmap, drawn] = [this.bitmap, this.drawnWindow];
    this.resetView();
    Object.assign(this, { bitmap, drawnWindow: drawn, window: this.stack ? this.firstWindow() : null });
    this.measures.delete(this.measureKey());
    this.openAngle = null;
    if (this.stack?.kind === "image") this.setWindow(this.window);
    if (this.stack?.kind === "image" && !this.stack.gray) { this.draw(); this.sharpen(); this.changed(this); }
  }
}
