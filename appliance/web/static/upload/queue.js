// Files on their way: a few at a time, each with how much of it has left.

import { check, store, Trouble } from "./store.js";

const AT_ONCE = 3;

export class Queue {
  constructor(changed) {
    Object.assign(this, { changed, waiting: [], current: new Map(), running: 0, abort: new AbortController() });
    Object.assign(this, { count: 0, bytes: 0, sent: 0, stored: 0, duplicates: 0, troubles: [], studies: new Set() });
  }

  get failed() { return this.troubles.length; }

  get done() { return this.count - this.waiting.length - this.running; }

  get idle() { return this.running === 0 && this.waiting.length === 0; }

  get share() {
    const leaving = [...this.current.values()].reduce((sum, bytes) => sum + bytes, 0);
    return this.bytes ? (this.sent + leaving) / this.bytes : this.idle ? 1 : 0;
  }

  add(items) {
    if (this.abort.signal.aborted) this.abort = new AbortController();
    this.waiting.push(...items);
    this.count += items.length;
    this.bytes += items.reduce((sum, { file }) => sum + (file?.size || 0), 0);
    while (this.running < AT_ONCE && this.waiting.length) this.run();
    this.changed();
  }

  cancel() {
    this.count -= this.waiting.length + this.running;
    for (const { file } of [...this.waiting, ...this.current.keys()]) this.bytes -= file?.size || 0;
    this.waiting = [];
    this.abort.abort();
    this.changed();
  }

  async run() {
    this.running += 1;
    for (let item = this.waiting.shift(); item; item = this.waiting.shift()) await this.one(item);
    this.running -= 1;
    this.changed();
  }

  async one(item) {
    this.current.set(item, 0);
    this.changed();
    const { signal } = this.abort;
    try {
      await check(item);
      this.note(item, await store(item.file, { signal, progress: (bytes) => { this.current.set(item, bytes); this.changed(); } }));
    } catch (error) {
      if (error instanceof Trouble) this.troubles.push({ path: item.path, key: error.key, values: error.values });
      else if (!signal.aborted) throw error;
    }
    this.current.delete(item);
    if (!signal.aborted) this.sent += item.file?.size || 0;
    this.changed();
  }

  note(item, { result, study }) {
    if (study) this.studies.add(study);
    if (result === "duplicate") this.duplicates += 1;
    else this.stored += 1;
    if (result === "conflict") {
      this.stored -= 1;
      this.troubles.push({ path: item.path, key: "differs", values: {} });
    }
  }
}
