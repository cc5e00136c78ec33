// The fallback viewer: everything it draws comes from the appliance as finished 8-bit pictures.

import { frameAddress } from "./addresses.js";
import { automatic } from "./automatic.js";
import { Cine } from "./cine.js";
import { listen } from "./gestures.js";
import { describeKeys, listenToKeys } from "./keys.js";
import { fillMenu, stackName } from "./menu.js";
import { Pane } from "./pane.js";
import { Pictures } from "./pictures.js";
import { unfold } from "./stack.js";
import { chosenPreset, dragged, presets, shownNumber } from "./windows.js";
import { word } from "./words.js";

const LOOK_EVERY = 10000;
const at = (id) => document.getElementById(id);

async function fetchJson(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

function prepared(found, dated) {
  return found.stacks.map((raw) => {
    const stack = unfold(found.study.uid, raw);
    stack.key = `${stack.uid}/${stack.kind === "image" ? "" : stack.instances[0][0]}`;
    stack.title = (dated ? `${found.study.date} ` : "") + stackName(stack);
    return stack;
  });
}

class Viewer {
  constructor(root) {
    this.uid = root.dataset.study;
    this.pictures = new Pictures();
    this.panes = [];
    this.opened = new Map();
    this.data = { stacks: [], priors: [] };
    this.addPane();
    this.pane = this.panes[0];
    this.cine = null;
  }

  addPane() {
    const pane = new Pane(at("panes"), this.panes.length + 1, this.pictures, (changed) => { if (changed === this.pane) this.reflect(); });
    listen(pane, () => at("drag").value);
    for (const kind of ["pointerdown", "focus"]) pane.root.addEventListener(kind, () => this.activate(pane), true);
    this.panes.push(pane);
    return pane;
  }

  async open() {
    const found = await fetchJson(`/api/v1/studies/${this.uid}/stacks`);
    this.revision = found.revision;
    this.data = { stacks: prepared(found, false), priors: found.priors };
    this.menu();
    const wanted = new URLSearchParams(location.hash.slice(1));
    const chosen = this.data.stacks.find((stack) => stack.uid === wanted.get("series"))
      || this.data.stacks.find((stack) => stack.kind !== "image" && stack.instances[0][0] === wanted.get("instance"))
      || this.data.stacks.find((stack) => stack.kind === "image") || this.data.stacks[0];
    if (chosen) this.choose(chosen);
    else this.pane.problem.textContent = word("nothing");
    const prior = found.priors.find((one) => one.uid === wanted.get("prior"));
    if (prior) await this.compare(prior);
    this.panes[0].root.focus();
    setTimeout(() => this.look(), LOOK_EVERY);
  }

  // A study that is still being received grows while it is read.
  async look() {
    try {
      const { revision, studies } = await fetchJson(`/api/v1/changes?after=${this.revision}`);
      this.revision = revision;
      if (studies.some((study) => study.study_uid === this.uid)) this.refresh(await fetchJson(`/api/v1/studies/${this.uid}/stacks`));
    } catch { /* live.js tells of a silent appliance */ }
    setTimeout(() => this.look(), LOOK_EVERY);
  }

  refresh(found) {
    this.data = { stacks: prepared(found, false), priors: found.priors };
    for (const pane of this.panes) {
      const grown = this.data.stacks.find((stack) => stack.key === pane.stack?.key);
      if (grown && grown.kind === "image") pane.grow(grown);
    }
    if (!this.pane.stack && this.data.stacks.length) this.choose(this.data.stacks[0]);
    this.menu();
  }

  menu() {
    fillMenu(at("series"), { ...this.data, opened: this.opened }, (stack) => this.choose(stack), (prior) => this.togglePrior(prior));
    this.reflect();
  }

  async togglePrior(prior) {
    if (!this.opened.delete(prior.uid)) await this.readPrior(prior);
    this.menu();
  }

  async readPrior(prior) {
    try {
      this.opened.set(prior.uid, prepared(await fetchJson(`/api/v1/studies/${prior.uid}/stacks`), true));
    } catch {
      this.pane.problem.textContent = word("silent");
    }
  }

  async compare(prior) {
    await this.readPrior(prior);
    this.menu();
    const all = this.opened.get(prior.uid) || [];
    const alike = all.find((stack) => stack.kind === "image" && stack.modality === this.panes[0].stack?.modality) || all[0];
    if (!alike) return;
    if (this.panes.length === 1) this.toggleLayout();
    this.panes[1].show(alike);
  }

  choose(stack) {
    this.stopCine();
    this.pane.show(stack);
  }

  activate(pane) {
    if (this.pane !== pane) this.stopCine();
    this.pane = pane;
    this.reflect();
  }

  nextStack(step) {
    const own = [this.data.stacks, ...this.opened.values()].find((list) => list.some((stack) => stack.key === this.pane.stack.key));
    const now = own ? own.findIndex((stack) => stack.key === this.pane.stack.key) : -1;
    const next = own?.[now + step];
    if (next) this.choose(next);
  }

  preset(number) {
    const { stack } = this.pane;
    if (!stack?.gray) return;
    const wanted = presets(stack)[number];
    if (wanted?.shares) this.readOff(this.pane, wanted);
    else if (wanted) this.pane.setWindow(wanted.center === null ? null : { center: wanted.center, width: wanted.width });
  }

  async readOff(pane, { key, shares }) {
    const { stack, picture } = pane;
    try {
      const window = await automatic(picture, stack, shares);
      if (pane.stack === stack) pane.setWindow({ ...window, key });
    } catch { /* a picture that cannot be drawn says so itself */ }
    this.reflect();
  }

  chooseDrag(name) {
    at("drag").value = at("drag").value === name ? "window" : name;
  }

  toggleLayout() {
    if (this.panes.length > 1) {
      this.stopCine();
      const closed = this.panes.pop();
      this.pictures.leave(closed);
      closed.root.remove();
      this.activate(this.panes[0]);
    } else this.addPane();
    at("panes").classList.toggle("two", this.panes.length > 1);
    this.reflect();
  }

  otherPane() {
    const other = this.panes[(this.panes.indexOf(this.pane) + 1) % this.panes.length];
    other.root.focus();
    this.activate(other);
  }

  toggleCine() {
    if (this.cine) { this.stopCine(); return; }
    this.cine = new Cine(this.pane, () => Math.min(60, Math.max(1, Number(at("rate").value) || 15)));
    this.cine.start();
    if (!this.cine.running) this.cine = null;
    this.reflect();
  }

  stopCine() {
    this.cine?.stop();
    this.cine = null;
    this.reflect();
  }

  toggleHelp() {
    at("help").hidden = !at("help").hidden;
    this.reflect();
  }

  leave() { location.assign("/"); }

  // The tools show how the active pane stands.
  reflect() {
    const { stack } = this.pane;
    for (const pane of this.panes) pane.root.classList.toggle("active", pane === this.pane && this.panes.length > 1);
    const pressed = { invert: this.pane.inverted, cine: Boolean(this.cine), layout: this.panes.length > 1 };
    for (const [name, on] of Object.entries(pressed))
      document.querySelector(`[data-action="${name}"]`).setAttribute("aria-pressed", String(on));
    document.querySelector('[data-action="help"]').setAttribute("aria-expanded", String(!at("help").hidden));
    for (const item of document.querySelectorAll("#series [data-stack]"))
      item.setAttribute("aria-current", String(item.dataset.stack === stack?.key));
    this.reflectPicture(stack);
  }

  reflectPicture(stack) {
    const image = stack?.kind === "image";
    if (stack !== this.reflected) {
      this.reflected = stack;
      at("presets").replaceChildren(...(image && stack.gray ? presets(stack) : []).map(({ key, center, width }, number) =>
        new Option(`${number + 1}. ${word(key)}${center == null ? "" : ` ${shownNumber(width)} / ${shownNumber(center)}`}`, number)));
    }
    at("presets").disabled = !image || !stack.gray;
    const { window, picture } = this.pane;
    const chosen = image && stack.gray ? chosenPreset(stack, window) : -1;
    at("presets").selectedIndex = chosen;
    at("png").hidden = !image;
    if (image && picture) {
      at("png").href = frameAddress(picture, window, { png: true });
      at("png").download = `${picture.instance}-${picture.frame}.png`;
    }
    if (image && this.pane.facts?.rate && this.rated !== stack.key) {
      this.rated = stack.key;
      at("rate").value = this.pane.facts.rate;
    }
  }
}

const root = at("viewer");
const viewer = new Viewer(root);
const ACTIONS = {
  invert: () => viewer.pane.invert(),
  cine: () => viewer.toggleCine(),
  layout: () => viewer.toggleLayout(),
  reset: () => viewer.pane.reset(),
  help: () => viewer.toggleHelp(),
};
at("tools").addEventListener("click", (event) => ACTIONS[event.target.closest("[data-action]")?.dataset.action]?.());
at("presets").addEventListener("change", (event) => viewer.preset(Number(event.target.value)));
describeKeys(at("keys"));
listenToKeys(viewer, dragged);
viewer.open().catch(() => { viewer.pane.problem.textContent = word("failed", { reason: word("silent") }); });
