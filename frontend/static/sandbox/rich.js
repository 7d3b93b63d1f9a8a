// A text and its parts in another style -> nodes. Places count characters, not the units of strings here.

import { element } from "./parts.js";

const TAGS = { bold: "b", italic: "i", underline: "u", strike: "s", code: "code", quote: "blockquote" };
const SAFE = /^(https?|tg|mailto|tel):/i;

export function rich(text, spans) {
  const out = document.createDocumentFragment();
  const letters = [...text];
  fillIn(out, letters, 0, letters.length, [...spans].sort((a, b) => a.start - b.start || b.end - a.end));
  return out;
}

// What lies between two places; spans that lie in another one come inside it.
function fillIn(parent, letters, from, to, spans) {
  let at = from;
  while (spans.length > 0 && spans[0].start < to) {
    const span = spans.shift();
    const end = Math.min(span.end, to);
    if (span.start < at || end <= span.start) continue;
    parent.append(letters.slice(at, span.start).join(""));
    const node = wrap(span);
    fillIn(node, letters, span.start, end, spans);
    parent.append(node);
    at = end;
  }
  parent.append(letters.slice(at, to).join(""));
}

function wrap({ style, url }) {
  if (style !== "link" || !SAFE.test(url)) return element(TAGS[style] ?? "span");
  const link = element("a");
  [link.href, link.target, link.rel] = [url, "_blank", "noreferrer"];
  return link;
}
