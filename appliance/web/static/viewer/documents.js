// What is read and not looked through: PDF in a frame, a report in a frame that may do nothing, a waveform as a drawing.

import { instanceAddress } from "./addresses.js";
import { word } from "./words.js";

function frame(address, title) {
  const made = document.createElement("iframe");
  made.title = title;
  made.src = address;
  return made;
}

function report(address, title) {
  const made = document.createElement("iframe");
  made.setAttribute("sandbox", "");
  made.title = title;
  made.src = `${address}?accept=text/html`;
  return made;
}

function drawing(address, title) {
  const made = document.createElement("img");
  made.alt = title;
  made.src = `${address}?accept=image/svg%2Bxml`;
  return made;
}

const SHOWN = {
  pdf: (address, title) => frame(`${address}?accept=application/pdf`, title),
  report,
  waveform: drawing,
};

function sentence(text) {
  const made = document.createElement("p");
  made.className = "problem";
  made.textContent = text;
  return made;
}

// A frame cannot tell that it was refused: the head of the answer is asked for first.
export async function showDocument(parent, stack) {
  const make = SHOWN[stack.kind];
  if (!make) { parent.replaceChildren(sentence(word("other"))); return; }
  const [[instance]] = stack.instances;
  const made = make(`${instanceAddress(stack.study, stack.uid, instance)}/rendered`, stack.title);
  parent.replaceChildren(sentence(word("loading")));
  const place = parent.firstElementChild;
  try {
    const answer = await fetch(made.src);
    const problem = answer.ok ? null : await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(problem.detail || String(answer.status));
    if (place.isConnected) parent.replaceChildren(made);
  } catch (error) {
    const reason = error instanceof TypeError ? word("silent") : error.message;
    if (place.isConnected) place.textContent = word("failed", { reason });
  }
}
