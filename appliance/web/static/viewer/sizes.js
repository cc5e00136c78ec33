// How large a picture is asked for: of a large one no more than the screen shows, in steps, so that few sizes are drawn and kept.

const WHOLE = 2048;
const STEPS = [1024, 2048, 4096];

// The longest edge to ask for when `shown` pixels of the screen are to be filled; 0 is the full matrix.
export function edgeFor(picture, shown) {
  const edge = Math.max(picture.columns || 0, picture.rows || 0);
  if (edge <= WHOLE) return 0;
  const step = STEPS.find((one) => one >= shown);
  return step && step < edge ? step : 0;
}

// How large the source is, and how many times as high as wide its pixels are: the appliance draws square ones.
export function shapeOf(picture, bitmap) {
  const columns = picture?.columns || bitmap.width;
  const rows = picture?.rows || bitmap.height;
  const aspect = ((bitmap.height / rows) * columns) / bitmap.width;
  return { columns, rows, aspect: Math.abs(aspect - 1) < 0.01 ? 1 : aspect };
}
