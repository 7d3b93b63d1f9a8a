// A text and its marks -> nodes. Offsets count UTF-16 units, as strings do here.

import { element } from "./parts.js";

const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre", blockquote: "blockquote",
  expandable_blockquote: "blockquote", spoiler: "span",
};
const SAFE = /^(https?|tg|mailto|tel):/i;

export function rich(text, marks = []) {
  const out = document.createDocumentFragment();
  fillIn(out, text, 0, text.length, [...marks].sort((a, b) => a.offset - b.offset || b.length - a.length));
  return out;
}

// What lies between two places; marks that lie in another one come inside it.
function fillIn(parent, text, from, to, marks) {
  let at = from;
  while (marks.length > 0 && marks[0].offset < to) {
    const mark = marks.shift();
    const end = Math.min(mark.offset + mark.length, to);
    if (mark.offset < at || end <= mark.offset) continue;
    parent.append(text.slice(at, mark.offset));
    const node = wrap(mark, text.slice(mark.offset, end));
    fillIn(node, text, mark.offset, end, marks);
    parent.append(node);
    at = end;
  }
  parent.append(text.slice(at, to));
}

function wrap(mark, inside) {
  const address = { url: mark.url ?? inside, text_link: mark.url, email: `mailto:${inside}` }[mark.type];
  if (address && SAFE.test(address)) {
    const link = element("a");
    link.href = address;
    link.target = "_blank";
    link.rel = "noreferrer";
    return link;
  }
  const node = element(TAGS[mark.type] ?? "span", mark.type === "spoiler" ? "spoiler" : TAGS[mark.type] ? "" : "mark-up");
  if (mark.type === "spoiler") node.tabIndex = 0;
  return node;
}
