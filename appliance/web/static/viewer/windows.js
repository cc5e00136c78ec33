// Windows: the presets of each modality, and how a picture drawn with one looks under another.

const WINDOWS = {
  CT: [["soft", 50, 400], ["lung", -600, 1500], ["bone", 400, 1800], ["brain", 40, 80], ["liver", 80, 150], ["mediastinum", 40, 350]],
};
// Windows that are read off the picture: between which shares of its pixels, in percent, the greys lie.
const SHARES = { auto: [1, 99], strong: [5, 95], dark: [0.5, 60], bright: [50, 99.8] };
const READ_OFF = {
  CT: ["auto"], US: ["auto", "strong"], PT: ["auto", "bright"], NM: ["auto", "bright"],
};
const ALL = ["auto", "strong", "dark", "bright"];

// The keys stay where they are: a second window that came with the picture stands at the end.
export function presets(stack) {
  const own = stack.windows.slice(0, 3).map(([center, width]) => ({ key: "original", center, width }));
  const [first = { key: "original", center: null, width: null }, ...more] = own;
  const [center, width] = stack.range;
  const named = (WINDOWS[stack.modality] || []).map(([key, middle, wide]) => ({ key, center: middle, width: wide }));
  const readOff = (READ_OFF[stack.modality] || ALL).map((key) => ({ key, shares: SHARES[key] }));
  return [first, ...named, { key: "whole", center, width }, ...readOff, ...more];
}

// A window that was read off a picture bears its preset's name; any other is known by its numbers.
export function chosenPreset(stack, window) {
  return presets(stack).findIndex(({ key, center, width, shares }) => (shares || window?.key
    ? key === window?.key
    : center === (window?.center ?? null) && width === (window?.width ?? null)));
}

// A grey g (0 to 1) drawn with `drawn` becomes slope * g + intercept under `wanted`; exact but for what was clipped.
// `inverse`: the object's lowest value is white (MONOCHROME1, PS3.3 C.7.6.3.1.2).
export function preview(drawn, wanted, inverted, inverse = false) {
  const known = drawn && wanted;
  const slope = known ? drawn.width / wanted.width : 1;
  const straight = known ? (drawn.center - wanted.center) / wanted.width + 0.5 - 0.5 * slope : 0;
  const intercept = inverse ? 1 - slope - straight : straight;
  return inverted ? { slope: -slope, intercept: 1 - intercept } : { slope, intercept };
}

export function dragged(start, right, down) {
  const width = Math.max(Math.min(1, start.width), start.width * (1 + right / 300));
  return { center: start.center + (down * start.width) / 300, width };
}

export function shownNumber(number) {
  return Math.abs(number) >= 10 || Number.isInteger(number) ? String(Math.round(number)) : String(Number(number.toPrecision(2)));
}
