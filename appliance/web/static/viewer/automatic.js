// A window read off a picture: the appliance draws it with all its values, and again with those that it has.

import { frameAddress } from "./addresses.js";

const EDGE = 512;
const LEVELS = 256;
const ENOUGH = 48;
const ROUNDS = 3;

async function histogram(address) {
  const answer = await fetch(address, { headers: { Accept: "image/png" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const bitmap = await createImageBitmap(await answer.blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const counts = new Float64Array(LEVELS);
  for (let at = 0; at < data.length; at += 4) counts[data[at]] += 1;
  return counts;
}

// The level below which `percent` of the pixels lie.
function level(counts, percent) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  for (let at = 0; at < LEVELS; at += 1) {
    below += counts[at];
    if (below >= (total * percent) / 100) return at;
  }
  return LEVELS - 1;
}

function between(window, from, to) {
  const value = (grey) => window.center + (grey / (LEVELS - 1) - 0.5) * window.width;
  const [low, high] = [value(from), value(to)];
  return { center: (low + high) / 2, width: high - low };
}

// Resolves to {center, width} such that shares[0] percent of the pixels are black and 100 - shares[1] white.
export async function automatic(picture, stack, shares) {
  let window = { center: stack.range[0], width: stack.range[1] };
  for (let round = 1; ; round += 1) {
    const counts = await histogram(frameAddress(picture, window, { png: true, edge: Math.max(picture.columns, picture.rows) > EDGE ? EDGE : 0 }));
    if (stack.inverse) counts.reverse();
    const [from, to] = shares.map((share) => level(counts, share));
    if (to - from >= ENOUGH || round === ROUNDS) return between(window, from, Math.max(to, from + 1));
    window = between(window, from - 1, to + 1);
  }
}
