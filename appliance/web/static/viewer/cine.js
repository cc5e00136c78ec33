// Cine: the pictures one after another, never faster than they arrive.

export class Cine {
  constructor(pane, rate) {
    Object.assign(this, { pane, rate, timer: 0 });
  }

  get running() { return this.timer !== 0; }

  start() {
    if (this.running || (this.pane.stack?.pictures.length || 0) < 2) return;
    this.next();
  }

  next() {
    this.timer = setTimeout(() => {
      const { pane } = this;
      if (!pane.root.classList.contains("waits")) {
        const last = pane.index >= pane.stack.pictures.length - 1;
        if (last) pane.go(0); else pane.step(1);
      }
      this.next();
    }, 1000 / this.rate());
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
  }
}
