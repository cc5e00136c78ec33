// The series of this study and of earlier ones, to choose from.

import { thumbnailAddress } from "./addresses.js";
import { word } from "./words.js";

function heading(text) {
  return Object.assign(document.createElement("h2"), { textContent: text });
}

function picture(stack) {
  const made = document.createElement("img");
  Object.assign(made, { src: thumbnailAddress(stack.study, stack.uid), alt: "", loading: "lazy", width: 96, height: 96 });
  return made;
}

export function stackName(stack) {
  const kind = ["image", "other"].includes(stack.kind) ? "" : word(stack.kind);
  const number = stack.number === null ? "" : `${stack.number}.`;
  return [number, stack.modality, kind, stack.description].filter(Boolean).join(" ");
}

export function entry(stack, choose) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "choice";
  made.dataset.stack = stack.key;
  if (stack.kind === "image") made.append(picture(stack));
  const text = document.createElement("span");
  text.textContent = stack.kind === "image" ? `${stackName(stack)} (${stack.pictures.length})` : stackName(stack);
  made.append(text);
  made.addEventListener("click", () => choose(stack));
  return made;
}

export function fillMenu(menu, { stacks, priors, opened }, choose, openPrior) {
  const parts = [heading(word("series")), ...stacks.map((stack) => entry(stack, choose))];
  if (priors.length) parts.push(heading(word("priors")));
  for (const prior of priors) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "choice prior" });
    button.dataset.prior = prior.uid;
    button.textContent = [prior.date, prior.modalities, prior.description].filter(Boolean).join(" ");
    const shown = opened.get(prior.uid);
    button.setAttribute("aria-expanded", String(Boolean(shown)));
    button.addEventListener("click", () => openPrior(prior));
    parts.push(button, ...(shown || []).map((stack) => entry(stack, choose)));
  }
  menu.replaceChildren(...parts);
}
