// Keys on top of pages that work without them: / to search, j and k to move, o and v to open.

function links() {
  return Array.from(document.querySelectorAll("table.list td.name a"));
}

function move(step) {
  const all = links();
  const row = document.activeElement?.closest("tr");
  const at = all.findIndex((link) => link.closest("tr") === row);
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
  if (next) next.focus();
}

function open(kind) {
  const row = document.activeElement?.closest("tr") || document;
  const link = row.querySelector(kind);
  if (link) link.click();
}

const ACTIONS = {
  "/": () => {
    const field = document.getElementById("name");
    if (!field) return false;
    field.focus();
    field.select();
    return true;
  },
  j: () => move(1),
  k: () => move(-1),
  o: () => open("a.ohif"),
  v: () => open("a.plainviewer"),
};

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in ACTIONS)) return;
  if (ACTIONS[event.key]() !== false) event.preventDefault();
});
