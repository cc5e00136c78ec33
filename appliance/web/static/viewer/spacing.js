// How long a pixel is: read once per series from the metadata of one of its pictures.

import { instanceAddress } from "./addresses.js";

const cache = new Map();
const CENTIMETRES = 3;

function numbers(dataset, tag) {
  return dataset?.[tag]?.Value?.map(Number) || [];
}

// Pixel Spacing (0028,0030), Imager Pixel Spacing (0018,1164), or the first ultrasound region (PS3.3 C.8.5.5).
function spacing(dataset) {
  for (const tag of ["00280030", "00181164"]) {
    const [rows, columns] = numbers(dataset, tag);
    if (rows > 0 && columns > 0) return { rows, columns };
  }
  const shared = dataset["52009229"]?.Value?.[0]?.["00289110"]?.Value?.[0];
  if (shared) return spacing(shared);
  const region = dataset["00186011"]?.Value?.[0];
  const [columns] = numbers(region, "0018602C");
  const [rows] = numbers(region, "0018602E");
  const centimetres = numbers(region, "00186024")[0] === CENTIMETRES && numbers(region, "00186026")[0] === CENTIMETRES;
  return centimetres && rows > 0 && columns > 0 ? { rows: rows * 10, columns: columns * 10 } : null;
}

function rate(dataset) {
  const [shown] = numbers(dataset, "00082144");
  const [cine] = numbers(dataset, "00180040");
  const [time] = numbers(dataset, "00181063");
  const found = shown || cine || (time > 0 ? 1000 / time : 0);
  return found ? Math.min(60, Math.max(1, Math.round(found))) : 0;
}

// Resolves to { spacing: {rows, columns} in mm or null, rate: pictures a second or 0 }.
export function facts(picture) {
  const key = picture.series;
  if (!cache.has(key)) {
    const address = `${instanceAddress(picture.study, picture.series, picture.instance)}/metadata`;
    cache.set(key, fetch(address, { headers: { Accept: "application/dicom+json" } })
      .then((answer) => (answer.ok ? answer.json() : [{}]))
      .then(([dataset]) => ({ spacing: spacing(dataset), rate: rate(dataset) }))
      .catch(() => { cache.delete(key); return { spacing: null, rate: 0 }; }));
  }
  return cache.get(key);
}
