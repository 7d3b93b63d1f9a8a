// The chat on the phone: lines -> nodes. A line that did not change keeps its node, so nothing jumps, no player stops, nothing loses
// the focus and nothing is read out twice.

import { makeMessage } from "./bubble.js";
import { clone } from "./parts.js";

const talk = document.getElementById("talk");
const DAY = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "long", day: "numeric", month: "long" });

export function show(here, chat, can, on) {
  const nodes = [];
  const byId = new Map(chat.lines.map((line) => [line.id, line]));
  let day = "";
  let side = null;
  for (const line of chat.lines) {
    const at = new Date(line.at);
    if (at.toDateString() !== day) {
      day = at.toDateString();
      side = null;
      nodes.push({ key: `day ${day}`, look: dayName(at), make: () => makeDay(at) });
    }
    if (line.note) {
      side = null;
      nodes.push({ key: `note ${line.id}`, look: line.note, make: () => makeNote(line) });
      continue;
    }
    const goesOn = side === line.is_theirs;
    side = line.is_theirs;
    const quoted = byId.get(line.reply_to);
    const look = JSON.stringify([here, line, quoted?.text, goesOn]);
    nodes.push({ key: `line ${line.id}`, look, make: () => makeMessage(here, line, quoted, goesOn, can, on) });
  }
  if (chat.is_typing) nodes.push({ key: "typing", look: "", make: () => clone("t-typing") });
  settle(nodes);
}

export function clear() {
  talk.replaceChildren();
}

function settle(wanted) {
  const old = new Map([...talk.children].map((node) => [node.dataset.key, node]));
  let at = talk.firstElementChild;
  for (const { key, look, make } of wanted) {
    let node = old.get(key);
    if (node && node.dataset.look !== look) {
      const fresh = make();
      node.replaceWith(fresh);
      if (at === node) at = fresh;
      node = fresh;
    }
    node ??= make();
    node.dataset.key = key;
    node.dataset.look = look;
    old.delete(key);
    if (node === at) at = at.nextElementSibling;
    else talk.insertBefore(node, at);
  }
  for (const node of old.values()) node.remove();
}

function makeNote(line) {
  const node = clone("t-event");
  node.querySelector("span").textContent = line.note;
  return node;
}

function makeDay(at) {
  const node = clone("t-day");
  node.textContent = dayName(at);
  return node;
}

function dayName(at) {
  const { today, yesterday } = document.getElementById("t-day").content.firstElementChild.dataset;
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  if (at >= midnight) return today;
  midnight.setDate(midnight.getDate() - 1);
  return at >= midnight ? yesterday : DAY.format(at);
}
