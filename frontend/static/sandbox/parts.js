// What the modules of the phone page share: words and templates of the page, icons, times.

export const words = document.getElementById("words").dataset;
const { icons } = document.getElementById("main").dataset;
const { lang } = document.documentElement;

const TIME = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hour12: false });
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

export function element(name, className = "", text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

export const timeOf = (seconds) => TIME.format(seconds * 1000);
export const lengthOf = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

export function sizeOf(bytes) {
  return bytes < 1_000_000 ? `${SIZE.format(Math.max(bytes / 1000, 0.1))} kB` : `${SIZE.format(bytes / 1_000_000)} MB`;
}

// The kind of a message, by the field that makes it one.
const KINDS = [
  "text", "photo", "animation", "video_note", "video", "voice", "audio", "document", "sticker", "venue", "location", "contact", "poll", "dice",
];
const FRAME = new Set([
  "message_id", "from", "chat", "date", "edit_date", "reply_to_message", "quote", "reply_markup", "caption", "caption_entities",
  "media_group_id", "forward_origin", "link_preview_options", "has_protected_content",
]);

export function kindOf(message) {
  return KINDS.find((kind) => kind in message) ?? Object.keys(message).find((field) => !FRAME.has(field)) ?? "";
}

// A message in a few words, for quotes.
export function summary(message) {
  return message.text ?? message.caption ?? nameOf(kindOf(message));
}

export function nameOf(kind) {
  return words[`kind_${kind}`] ?? fill(words.kind_other, { kind });
}
