// Keeps a page true without loading it again: what the server says differently now is changed in place.
// Elements marked data-live are compared with those of a fresh copy of the page; children that carry
// data-key are matched by it, so that focus and scroll position stay with what they were on.

const EVERY = 5000;
const DEADLINE = 8000;

function attributes(here, there) {
  for (const { name } of [...here.attributes]) if (!there.hasAttribute(name)) here.removeAttribute(name);
  for (const { name, value } of there.attributes) if (here.getAttribute(name) !== value) here.setAttribute(name, value);
}

function keyed(element) {
  return element.children.length > 0 && [...element.children].every((child) => child.dataset.key);
}

function mergeKeyed(here, there) {
  const known = new Map([...here.children].map((child) => [child.dataset.key, child]));
  let before = null;
  for (const wanted of there.children) {
    const own = known.get(wanted.dataset.key);
    known.delete(wanted.dataset.key);
    if (own) merge(own, wanted);
    const child = own || document.importNode(wanted, true);
    const place = before ? before.nextElementSibling : here.firstElementChild;
    if (place !== child) here.insertBefore(child, place);
    before = child;
  }
  for (const gone of known.values()) gone.remove();
}

function alike(here, there) {
  return here.childNodes.length === there.childNodes.length
    && [...here.childNodes].every((node, at) => node.nodeName === there.childNodes[at].nodeName);
}

export function merge(here, there) {
  if (here.isEqualNode(there)) return;
  attributes(here, there);
  if (keyed(here) && keyed(there)) { mergeKeyed(here, there); return; }
  if (!alike(here, there)) {
    here.replaceChildren(...[...there.childNodes].map((node) => document.importNode(node, true)));
    return;
  }
  here.childNodes.forEach((node, at) => {
    const other = there.childNodes[at];
    if (node.nodeType === Node.ELEMENT_NODE) merge(node, other);
    else if (node.data !== other.data) node.data = other.data;
  });
}

const banner = document.getElementById("stale");
let heard = new Date();

function say(text) {
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = !text;
}

function clock(moment) {
  const two = (number) => String(number).padStart(2, "0");
  return `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
}

async function look() {
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  address.searchParams.set("live", "1");
  address.hash = "";
  try {
    const answer = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(DEADLINE) });
    if (answer.type === "opaqueredirect" || answer.status === 401) { say(banner.dataset.stranger); return; }
    if (answer.status >= 500) throw new Error(String(answer.status));
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    heard = new Date();
    say("");
    for (const here of document.querySelectorAll("[data-live]")) {
      const there = fresh.getElementById(here.id);
      if (there) merge(here, there);
    }
  } catch {
    say(banner.dataset.silent.replace("{time}", clock(heard)));
  }
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, EVERY);
}

if (banner) {
  setTimeout(watch, EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
}
