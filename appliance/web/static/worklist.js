"use strict";
// Comforts on top of pages that work without it: keys, and a word when something has arrived.

function rows() {
  return Array.from(document.querySelectorAll("table.list .name a"));
}

function move(step) {
  const links = rows();
  const at = links.indexOf(document.activeElement);
  const next = links[Math.min(Math.max(at + step, 0), links.length - 1)];
  if (next) next.focus();
}

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.getElementById("name");
  if (event.key === "/" && field) { event.preventDefault(); field.focus(); field.select(); }
  if (event.key === "j") move(1);
  if (event.key === "k") move(-1);
});

const notice = document.getElementById("changes");
if (notice && notice.dataset.revision) {
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch("/api/v1/changes?after=" + notice.dataset.revision);
      if (answer.ok && (await answer.json()).studies.length) notice.hidden = false;
    } catch { /* the next look may succeed */ }
  };
  setInterval(look, 10000);
}
