// Pictures on their way here: few at a time, the one looked at first, its neighbours next; old ones are let go.

const MOST = 160;
const MOST_BYTES = 512 * 1024 * 1024;
const AT_ONCE = 5;
const DEADLINE = 60000;

export class Refusal extends Error {}

async function load(address, signal) {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE)]);
  const answer = await fetch(address, { headers: { Accept: "image/jpeg, image/png, application/problem+json" }, signal: deadline });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Refusal(problem.detail || problem.title || String(answer.status));
  }
  return createImageBitmap(await answer.blob());
}

export class Pictures {
  constructor() {
    this.kept = new Map();
    this.waiting = [];
    this.running = 0;
    this.wishes = new Map();
    this.held = new Map();
  }

  // What a pane shows stays, however many others come.
  hold(pane, bitmap) { this.held.set(pane, bitmap); }

  leave(pane) {
    this.wishes.delete(pane);
    this.held.delete(pane);
  }

  // A picture that is here, or null. Looking at it makes it the youngest.
  here(address) {
    const entry = this.kept.get(address);
    if (!entry) return null;
    this.kept.delete(address);
    this.kept.set(address, entry);
    return entry.bitmap || null;
  }

  // Resolves to the picture; rejects with Refusal when the appliance says why it cannot be drawn.
  // `pane` is who waits for it now; without one it is wanted later at most.
  get(address, pane = null) {
    if (pane) this.wishes.set(pane, address);
    let entry = this.kept.get(address);
    if (!entry) {
      entry = { address, abort: new AbortController() };
      entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
      entry.promise.catch(() => {});
      this.kept.set(address, entry);
      this.waiting.push(entry);
    }
    if (pane && this.waiting.includes(entry)) {
      this.waiting.splice(this.waiting.indexOf(entry), 1);
      this.waiting.unshift(entry);
    }
    this.next();
    return entry.promise;
  }

  // What was wished for earlier and is no longer wanted is not asked for.
  prefetch(addresses) {
    const wanted = new Set([...addresses, ...this.wishes.values()]);
    this.waiting = this.waiting.filter((entry) => {
      if (wanted.has(entry.address)) return true;
      this.kept.delete(entry.address);
      entry.reject(new DOMException("superseded", "AbortError"));
      return false;
    });
    for (const address of addresses) this.get(address);
    this.trim();
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) this.run(this.waiting.shift());
  }

  async run(entry) {
    this.running += 1;
    try {
      entry.bitmap = await load(entry.address, entry.abort.signal);
      entry.resolve(entry.bitmap);
    } catch (error) {
      this.kept.delete(entry.address);
      entry.reject(error);
    }
    this.running -= 1;
    this.next();
  }

  trim() {
    const size = (entry) => (entry.bitmap ? entry.bitmap.width * entry.bitmap.height * 4 : 0);
    let bytes = [...this.kept.values()].reduce((sum, entry) => sum + size(entry), 0);
    const held = new Set(this.held.values());
    for (const [address, entry] of this.kept) {
      if (this.kept.size <= MOST && bytes <= MOST_BYTES) return;
      if (entry.bitmap && !held.has(entry.bitmap)) {
        bytes -= size(entry);
        entry.bitmap.close();
        this.kept.delete(address);
      }
    }
  }
}
