// The chat on the phone: lines of the control API -> nodes. A line that did not change keeps its node, so nothing jumps, nothing
// loses the focus and nothing is read out twice.

const talk = document.getElementById("talk");
const words = document.getElementById("words").dataset;
const { icons } = document.getElementById("main").dataset;
const { lang } = document.documentElement;

const TIME = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hour12: false });
const DAY = new Intl.DateTimeFormat(lang, { weekday: "long", day: "numeric", month: "long" });
const OWN_FIELDS = new Set([
  "message_id", "from", "chat", "date", "edit_date", "reply_to_message", "reply_markup", "entities", "caption", "caption_entities",
]);
const TICKS = { waiting: "clock", accepted: "checks", dropped: "x", not_asked: "x" };

export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// `press` is called with a message and a button's data.
export function show(chat, press) {
  const name = chat.person.first_name;
  const lines = [];
  let day = "";
  let side = "";
  for (const [number, entry] of chat.entries.entries()) {
    const at = new Date(entry.at * 1000);
    if (at.toDateString() !== day) {
      day = at.toDateString();
      side = "";
      lines.push({ key: `day ${day}`, look: dayName(at), make: () => makeDay(at) });
    }
    const next = entry.event ? "" : entry.from;
    const goesOn = side !== "" && side === next;
    side = next;
    const key = entry.event ? `event ${number}` : `message ${entry.message_id}`;
    lines.push({ key, look: JSON.stringify([entry, goesOn]), make: () => makeEntry(entry, name, goesOn, press) });
  }
  if (chat.is_typing) lines.push({ key: "typing", look: "", make: () => clone("t-typing") });
  settle(lines);
}

export function clear() {
  talk.replaceChildren();
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

function makeEntry(entry, name, goesOn, press) {
  if (entry.event) return makeEvent(entry, name);
  const ghost = ghostText(entry);
  const node = clone(ghost ? "t-ghost" : "t-message");
  node.classList.toggle("out", entry.from === "person");
  node.classList.toggle("cont", goesOn);
  node.querySelector("[data-text]").textContent = ghost || entry.message.text;
  if (ghost) setIcon(node, entry.is_deleted ? "trash" : entry.message.location ? "flag" : entry.message.contact ? "user" : "help");
  else dress(node, entry, press);
  const time = node.querySelector("time");
  time.dateTime = new Date(entry.at * 1000).toISOString();
  time.textContent = TIME.format(entry.at * 1000);
  if (entry.update) time.after(makeTick(entry.update.state));
  if (entry.reaction) {
    const reaction = document.createElement("span");
    reaction.className = "react";
    reaction.textContent = entry.reaction;
    node.querySelector(".bub").append(reaction);
  }
  return node;
}

function dress(node, entry, press) {
  const { message } = entry;
  node.querySelector("[data-edited]").hidden = !message.edit_date;
  if (message.reply_to_message) {
    const quote = node.querySelector(".quote");
    quote.hidden = false;
    quote.textContent = message.reply_to_message.text ?? fill(words.other, { kind: kindOf(message.reply_to_message) });
  }
  const choices = node.querySelector(".choices");
  for (const button of (message.reply_markup?.inline_keyboard ?? []).flat()) {
    if (!button.callback_data) continue;
    const choice = document.createElement("button");
    choice.type = "button";
    choice.className = "btn s";
    choice.textContent = button.text;
    choice.addEventListener("click", () => press(message.message_id, button.callback_data));
    choices.append(choice);
    choices.hidden = false;
  }
}

function ghostText(entry) {
  if (entry.is_deleted) return words.deleted;
  if (entry.message.text !== undefined) return "";
  const kind = kindOf(entry.message);
  return { location: words.location, contact: words.contact }[kind] ?? fill(words.other, { kind });
}

function kindOf(message) {
  return Object.keys(message).find((field) => !OWN_FIELDS.has(field)) ?? "";
}

function makeEvent(entry, name) {
  const node = clone("t-event");
  setIcon(node, { blocked: "block", unblocked: "check", answer: "info" }[entry.event]);
  node.querySelector("span").textContent = fill(words[entry.event], { name, text: entry.text });
  return node;
}

function makeTick(state) {
  const node = clone("t-tick");
  node.classList.add(state);
  node.title = words[state];
  node.querySelector(".sr").textContent = words[state];
  setIcon(node, TICKS[state]);
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

function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

function setIcon(node, name) {
  node.querySelector("use").setAttribute("href", `${icons}#${name}`);
}
