// The values of a picture as they are stored, not as it is drawn: read once an area is measured on it.

import { instanceAddress } from "./addresses.js";

const NATIVE = "1.2.840.10008.1.2.1";
const MOST_KEPT = 4;
const kept = new Map();

function first(dataset, tag) {
  return dataset?.[tag]?.Value?.[0];
}

// Pixel Value Transformation (PS3.3 C.7.6.16.2.9) of this frame or of all, else the image's own.
function rescaling(dataset, frame) {
  const [own, shared] = [dataset["52009230"]?.Value?.[frame - 1], dataset["52009229"]?.Value?.[0]];
  return first(own, "00289145") || first(shared, "00289145") || dataset;
}

function unitOf(dataset, rescale) {
  const named = first(rescale, "00281054") || first(dataset, "00541001");
  if (named && named !== "US") return named;
  return first(dataset, "00080060") === "CT" ? "HU" : "";
}

// Returns {columns, rows, at(x, y), unit}. Throws where the values are not of a kind that is read here.
export function readValues(dataset, frame, buffer) {
  const [samples, rows, columns, allocated] = ["00280002", "00280010", "00280011", "00280100"].map((tag) => first(dataset, tag));
  const Kind = { 8: Uint8Array, 16: Uint16Array }[allocated];
  if (!Kind || (samples ?? 1) !== 1 || dataset["00283000"] || buffer.byteLength < (rows * columns * allocated) / 8) throw new Error("other values");
  const data = new Kind(buffer, 0, rows * columns);
  const bits = first(dataset, "00280101") || allocated;
  const shift = (first(dataset, "00280102") ?? bits - 1) + 1 - bits;
  const [mask, half, all] = [2 ** bits - 1, 2 ** (bits - 1), 2 ** bits];
  const signed = first(dataset, "00280103") === 1;
  const rescale = rescaling(dataset, frame);
  const [slope, intercept] = [Number(first(rescale, "00281053") ?? 1), Number(first(rescale, "00281052") ?? 0)];
  const at = (x, y) => {
    const raw = (data[y * columns + x] >> shift) & mask;
    return (signed && raw >= half ? raw - all : raw) * slope + intercept;
  };
  return { columns, rows, at, unit: unitOf(dataset, rescale) };
}

async function load({ study, series, instance, frame }) {
  const place = instanceAddress(study, series, instance);
  const [described, stored] = await Promise.all([
    fetch(`${place}/metadata`, { headers: { Accept: "application/dicom+json" } }),
    fetch(`${place}/frames/${frame}`, { headers: { Accept: `application/octet-stream; transfer-syntax=${NATIVE}` } }),
  ]);
  if (!described.ok || !stored.ok) throw new Error("no values");
  const [dataset] = await described.json();
  return readValues(dataset, frame, await stored.arrayBuffer());
}

export function valuesOf(picture) {
  const key = `${picture.instance}/${picture.frame}`;
  if (!kept.has(key)) {
    for (const oldest of [...kept.keys()].slice(0, Math.max(0, kept.size + 1 - MOST_KEPT))) kept.delete(oldest);
    const wanted = load(picture);
    wanted.catch(() => kept.delete(key));
    kept.set(key, wanted);
  }
  return kept.get(key);
}

const short = (number) => String(Math.round(number * 10) / 10);

// Mean, standard deviation and extremes of the pixels whose centres lie in the ellipse; null when there are none.
export function statistics({ columns, rows, at, unit }, from, to) {
  const [cx, cy, rx, ry] = [(from.x + to.x) / 2, (from.y + to.y) / 2, Math.abs(to.x - from.x) / 2, Math.abs(to.y - from.y) / 2];
  const found = [];
  for (let y = Math.max(0, Math.floor(cy - ry)); y < Math.min(rows, cy + ry); y += 1)
    for (let x = Math.max(0, Math.floor(cx - rx)); x < Math.min(columns, cx + rx); x += 1)
      if (((x + 0.5 - cx) / rx) ** 2 + ((y + 0.5 - cy) / ry) ** 2 <= 1) found.push(at(x, y));
  if (!found.length) return null;
  const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
  const deviation = Math.sqrt(found.reduce((sum, value) => sum + (value - mean) ** 2, 0) / found.length);
  const [least, most] = found.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  return { mean, deviation, least: short(least), most: short(most), unit };
}
