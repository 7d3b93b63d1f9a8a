// One message, or an album, as it looks on the phone.

import * as media from "./media.js";
import { clone, element, icon, kindOf, setIcon, summary, timeOf, words, fill } from "./parts.js";
import { rich } from "./rich.js";

const TICKS = { waiting: "clock", accepted: "checks", dropped: "x", not_asked: "x" };
const BARE = new Set(["sticker", "video_note", "dice"]);

// `entries` are the parts of an album, or one message. `on` holds what can be done with it: press, reply, edit, move.
export function makeMessage(chat, entries, goesOn, on) {
  const [first] = entries;
  const node = clone("t-message");
  const bubble = node.querySelector(".bub");
  node.classList.toggle("out", first.from === "person");
  node.classList.toggle("cont", goesOn);
  head(bubble, first.message);
  for (const part of fillBubble(chat, entries)) bubble.append(part);
  const { message } = entries.find((entry) => entry.message.caption !== undefined) ?? first;
  const text = message.text ?? message.caption;
  if (text !== undefined) {
    const lines = element(bubble.classList.contains("pic") ? "p" : "div", "txt");
    lines.dataset.text = "";
    lines.append(rich(text, message.entities ?? message.caption_entities));
    bubble.append(lines);
  }
  react(bubble, entries);
  buttons(node, chat, first, on);
  foot(node, first, entries, on);
  return node;
}

function fillBubble(chat, entries) {
  const own = chat.person.id;
  const nodes = entries.map((entry) => media.show(chat.bot.id, entry.message, own)).filter(Boolean);
  const kinds = new Set(entries.map((entry) => kindOf(entry.message)));
  if (entries.length < 2 || ![...kinds].every((kind) => media.PICTURES.has(kind))) return nodes;
  const grid = element("div", "album");
  grid.append(...nodes);
  return [grid];
}

function head(bubble, message) {
  const kind = kindOf(message);
  bubble.classList.toggle("pic", media.PICTURES.has(kind) || kind === "location" || kind === "venue");
  bubble.classList.toggle("bare", BARE.has(kind));
  if (message.forward_origin) {
    const from = element("span", "from xs", fill(words.forwarded, { name: message.forward_origin.sender_user_name ?? "?" }));
    bubble.append(from);
  }
  if (message.reply_to_message) bubble.append(element("span", "quote", message.quote?.text ?? summary(message.reply_to_message)));
}

function react(bubble, entries) {
  const { reaction } = entries.find((entry) => entry.reaction) ?? {};
  if (reaction) bubble.append(element("span", "react", reaction));
}

// Buttons below a message: one line a row. One that waits for the bot's answer turns.
function buttons(node, chat, entry, on) {
  const { message } = entry;
  const box = node.querySelector(".keys");
  for (const row of message.reply_markup?.inline_keyboard ?? []) {
    const line = element("div", "choices");
    for (const button of row) line.append(makeButton(button, chat, message, on));
    box.append(line);
    box.hidden = false;
  }
}

function makeButton(button, chat, message, on) {
  if (button.url) {
    const link = element("a", "btn s", button.text);
    [link.href, link.target, link.rel] = [button.url, "_blank", "noreferrer"];
    link.prepend(icon("link"));
    return link;
  }
  const node = element("button", "btn s", button.text);
  node.type = "button";
  const { callback_data: data } = button;
  const isWaiting = chat.pressed.some((one) => one.message_id === message.message_id && one.data === data);
  if (isWaiting) node.prepend(element("span", "spin"));
  node.ariaBusy = String(isWaiting);
  node.disabled = data === undefined;
  node.addEventListener("click", () => on.press(message.message_id, data));
  return node;
}

function foot(node, first, entries, on) {
  const { message } = first;
  node.querySelector("[data-edited]").hidden = !entries.some((entry) => entry.message.edit_date);
  const time = node.querySelector("time");
  time.dateTime = new Date(first.at * 1000).toISOString();
  time.textContent = timeOf(first.at);
  const last = entries.findLast((entry) => entry.update);
  if (last) time.after(makeTick(last.update.state));
  const own = first.from === "person";
  act(node, "reply", true, () => on.reply(message));
  act(node, "edit", own && (message.text !== undefined || message.caption !== undefined), () => on.edit(message));
  act(node, "move", own && Boolean(message.location?.live_period), () => on.move(message));
}

function act(node, name, isOffered, run) {
  const button = node.querySelector(`[data-act="${name}"]`);
  if (isOffered) button.addEventListener("click", run);
  else button.remove();
}

export function makeTick(state) {
  const node = clone("t-tick");
  node.classList.add(state);
  node.title = words[state];
  node.querySelector(".sr").textContent = words[state];
  setIcon(node, TICKS[state]);
  return node;
}
