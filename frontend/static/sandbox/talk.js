// The chat on the phone: lines of the control API -> nodes. A line that did not change keeps its node, so nothing jumps, no player
// stops, nothing loses the focus and nothing is read out twice.

import { makeMessage, makeTick } from "./bubble.js";
import { clone, fill, setIcon, words } from "./parts.js";

const talk = document.getElementById("talk");
const DAY = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "long", day: "numeric", month: "long" });

export function show(chat, on) {
  const lines = [];
  let day = "";
  let side = "";
  for (const [number, entries] of grouped(chat.entries).entries()) {
    const [entry] = entries;
    const at = new Date(entry.at * 1000);
    if (at.toDateString() !== day) {
      day = at.toDateString();
      side = "";
      lines.push({ key: `day ${day}`, look: dayName(at), make: () => makeDay(at) });
    }
    const next = entry.event ? "" : entry.from;
    const goesOn = side !== "" && side === next;
    side = next;
    if (entry.event) {
      lines.push({ key: `event ${number}`, look: JSON.stringify(entry), make: () => makeEvent(entry, chat.person.first_name) });
      continue;
    }
    const pressed = chat.pressed.filter((one) => one.message_id === entry.message_id);
    const look = JSON.stringify([entries, goesOn, pressed]);
    lines.push({ key: `message ${entry.message_id}`, look, make: () => makeMessage(chat, entries, goesOn, on) });
  }
  if (chat.is_typing) lines.push({ key: "typing", look: "", make: () => clone("t-typing") });
  settle(lines);
}

export function clear() {
  talk.replaceChildren();
}

// What was deleted is gone; the parts of an album that follow each other are one line.
function grouped(entries) {
  const groups = [];
  let album = "";
  for (const entry of entries.filter((one) => one.event || one.message)) {
    const group = entry.message?.media_group_id ?? "";
    if (group && group === album) groups.at(-1).push(entry);
    else groups.push([entry]);
    album = group;
  }
  return groups;
}

function settle(lines) {
  const old = new Map([...talk.children].map((node) => [node.dataset.key, node]));
  let at = talk.firstElementChild;
  for (const { key, look, make } of lines) {
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

function makeEvent(entry, name) {
  const node = clone("t-event");
  setIcon(node, { blocked: "block", unblocked: "check", answer: "info", elsewhere: "people" }[entry.event]);
  const text = entry.event === "elsewhere" ? (words[`elsewhere_${entry.text}`] ?? entry.text) : words[entry.event];
  node.querySelector("span").textContent = fill(text, { name, text: entry.text });
  if (entry.event === "elsewhere") node.append(makeTick(entry.update.state));
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
