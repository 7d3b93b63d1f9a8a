// Makes an element like another one and leaves alone what is the same, so focus, selection, scroll position and open details stay.
// Children are matched by id, else by place. `data-keep` marks what belongs to the person: it is never touched.

export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.children];
}

export function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.hasAttribute("data-keep")) return old;
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  morphChildren(old, [...fresh.childNodes]);
  return old;
}

export function morphChildren(parent, fresh) {
  const wanted = new Set(fresh.map((node) => node.id).filter(Boolean));
  let place = parent.firstChild;
  for (const node of fresh) {
    const known = node.id ? [...parent.children].find((child) => child.id === node.id) : null;
    if (known) {
      if (known === place) place = place.nextSibling;
      else parent.insertBefore(known, place);
      morph(known, node);
      continue;
    }
    while (place && place.id && !wanted.has(place.id) && !node.id && node.nodeType === Node.ELEMENT_NODE) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
    if (!node.id && place && !place.id && place.nodeName === node.nodeName) {
      const same = place;
      place = place.nextSibling;
      if (same.nodeType === Node.ELEMENT_NODE) morph(same, node);
      else if (same.nodeValue !== node.nodeValue) same.nodeValue = node.nodeValue;
    } else {
      parent.insertBefore(node, place);
    }
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}
