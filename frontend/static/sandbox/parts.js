// What the modules of the phone page share: words and templates of the page, icons, times.

export const words = document.getElementById("words").dataset;
const { icons } = document.getElementById("main").dataset;
const { lang } = document.documentElement;

const TIME = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hour12: false });
const SECONDS = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const SIZE = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });

export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

export function setIcon(node, name) {
  node.querySelector("use").setAttribute("href", `${icons}#${name}`);
}

export function icon(name) {
  const node = clone("t-icon");
  setIcon(node, name);
  return node;
}

// A messenger's disc: decoration, its name stands beside it.
export function mark(name, size = "l") {
  const node = element("span", `mark ${name} ${size}`);
  node.ariaHidden = "true";
  node.append(icon(`m-${name}`));
  return node;
}

export function element(name, className = "", text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

export function button(className, text, act) {
  const node = element("button", className, text);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

export const timeOf = (at) => TIME.format(new Date(at));
export const secondsOf = (at) => SECONDS.format(new Date(at));
export const lengthOf = (seconds) => (Number.isFinite(seconds) ? `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}` : "");

export function sizeOf(bytes) {
  return bytes < 1_000_000 ? `${SIZE.format(Math.max(bytes / 1000, 0.1))} kB` : `${SIZE.format(bytes / 1_000_000)} MB`;
}

// A message in a few words, for quotes.
export function summary(line) {
  if (line.text) return line.text;
  if (line.files.length > 0) return words[`kind_${line.files[0].kind}`];
  return line.place ? words.kind_place : line.contact ? line.contact[0] : "";
}
