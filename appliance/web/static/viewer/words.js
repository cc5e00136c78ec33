// The page's texts, in its language: the server wrote them into the page.

const known = new Map();

export function word(key, values = {}) {
  if (!known.size) for (const item of document.querySelectorAll("#words [data-word]")) known.set(item.dataset.word, item.textContent);
  return (known.get(key) ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}
