// The files a reader dropped or chose, folders walked to their ends.

function entries(reader) {
  return new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
}

function fileOf(entry) {
  return new Promise((resolve, reject) => { entry.file(resolve, reject); });
}

async function* walk(entry) {
  if (entry.isFile) {
    yield fileOf(entry).then((file) => ({ file, path: entry.fullPath }), () => ({ file: null, path: entry.fullPath }));
    return;
  }
  const reader = entry.createReader();
  // A browser hands out a directory in portions; an empty one is the last.
  for (let some = await entries(reader); some.length; some = await entries(reader)) for (const one of some) yield* walk(one);
}

// The entries must be taken before the first await: a drop's list is emptied after its event.
export async function dropped(transfer) {
  const roots = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!roots.length) return chosen(transfer.files);
  const found = [];
  for (const root of roots) for await (const one of walk(root)) found.push(one);
  return found;
}

export function chosen(list) {
  return [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}
