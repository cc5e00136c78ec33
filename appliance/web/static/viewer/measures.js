// Measures drawn on a picture, in its own pixels: they stay where they are when it is moved or enlarged.

import { word } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const LINE_HEIGHT = 18;

// `pixel` is {columns, rows}: how wide and high a pixel is.
function across(from, to, pixel) {
  return { x: (to.x - from.x) * pixel.columns, y: (to.y - from.y) * pixel.rows };
}

export function distance(from, to, pixel) {
  const { x, y } = across(from, to, pixel);
  return Math.hypot(x, y);
}

// The angle at `corner`, 0 to 180 degrees.
export function angleAt(corner, one, other, pixel) {
  const [a, b] = [across(corner, one, pixel), across(corner, other, pixel)];
  return (Math.abs(Math.atan2(a.x * b.y - a.y * b.x, a.x * b.x + a.y * b.y)) * 180) / Math.PI;
}

export function ellipseArea(from, to, pixel) {
  const { x, y } = across(from, to, pixel);
  return (Math.PI * Math.abs(x) * Math.abs(y)) / 4;
}

function element(name, values) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  return made;
}

function line(a, b) {
  return element("line", { x1: a.x, y1: a.y, x2: b.x, y2: b.y });
}

function texts(at, lines) {
  return lines.map((text, number) => {
    const made = element("text", { x: at.x + 8, y: at.y + number * LINE_HEIGHT });
    made.textContent = text;
    return made;
  });
}

function found(values) {
  if (!values) return [];
  const { mean, deviation, least, most, unit } = values;
  return [word("statistics", { mean: mean.toFixed(1), deviation: deviation.toFixed(1), unit }), word("extremes", { least, most, unit })];
}

const MARKS = {
  length({ from, to }, place, { spacing }) {
    const length = distance(from, to, spacing || { columns: 1, rows: 1 }).toFixed(1);
    const [a, b] = [place(from), place(to)];
    return [line(a, b), ...texts(b, [word(spacing ? "millimetres" : "pixels", { length })])];
  },
  angle({ from, corner, to }, place, { pixel }) {
    const at = place(corner);
    if (!to) return [line(place(from), at)];
    const degrees = angleAt(corner, from, to, pixel).toFixed(1);
    return [line(place(from), at), line(at, place(to)), ...texts(at, [word("degrees", { degrees })])];
  },
  area({ from, to, values, problem }, place, { spacing }) {
    const [a, b] = [place(from), place(to)];
    const middle = { cx: (a.x + b.x) / 2, cy: (a.y + b.y) / 2, rx: Math.abs(b.x - a.x) / 2, ry: Math.abs(b.y - a.y) / 2 };
    const area = ellipseArea(from, to, spacing || { columns: 1, rows: 1 }).toFixed(spacing ? 1 : 0);
    const lines = [word(spacing ? "square-millimetres" : "square-pixels", { area }), ...found(values), ...(problem ? [word("no-values")] : [])];
    return [element("ellipse", middle), ...texts({ x: Math.max(a.x, b.x), y: middle.cy }, lines)];
  },
};

// `spacing` in mm or null; `aspect` is how many times as high as wide a pixel is.
export function drawMeasures(svg, measures, place, spacing, aspect) {
  const pixel = spacing || { columns: 1, rows: aspect };
  svg.replaceChildren(...measures.flatMap((measure) => MARKS[measure.kind](measure, place, { spacing, pixel })));
}
