// A series as one row of pictures: every frame of every instance, in reading order.

export function unfold(study, stack) {
  const pictures = [];
  for (const [instance, frames, columns, rows] of stack.instances)
    for (let frame = 1; frame <= frames; frame += 1) pictures.push({ study, series: stack.uid, instance, frame, columns, rows });
  return { ...stack, study, pictures };
}

// The nearest pictures first, more of them in the direction of travel.
export function neighbours(index, count, direction, ahead = 12, behind = 4) {
  const found = [];
  for (let step = 1; step <= ahead; step += 1) {
    found.push(index + step * direction);
    if (step <= behind) found.push(index - step * direction);
  }
  return found.filter((at) => at >= 0 && at < count);
}
