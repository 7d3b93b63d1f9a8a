// One message as it looks on the phone, and what can be done with it.

import * as media from "./media.js";
import { button, clone, element, icon, setIcon, summary, timeOf, words } from "./parts.js";
import { rich } from "./rich.js";

const TICKS = { sent: "check", delivered: "checks", read: "checks" };
const EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

// `can` holds what this messenger offers; `on` does it: press, reply, react, edit, delete.
export function makeMessage(here, line, quoted, goesOn, can, on) {
  const node = clone("t-message");
  const bubble = node.querySelector(".bub");
  node.classList.toggle("out", !line.is_theirs);
  node.classList.toggle("cont", goesOn);
  if (line.is_deleted) bubble.append(gone());
  else fillBubble(bubble, here, line, quoted);
  keys(node, line, can, on);
  foot(node, line, can, on);
  return node;
}

function gone() {
  const node = element("p", "lost");
  node.append(icon("trash"), element("span", "", words.deleted));
  return node;
}

function fillBubble(bubble, here, line, quoted) {
  if (quoted) bubble.append(element("span", "quote", summary(quoted)));
  const files = line.files.map((file) => media.show(here, file));
  const isAlbum = files.length > 1 && line.files.every(media.isPicture);
  bubble.classList.toggle("pic", line.place !== null || (files.length > 0 && line.files.every(media.isPicture)));
  bubble.classList.toggle("bare", line.files.length > 0 && line.files.every((file) => file.kind === "sticker" && file.id));
  if (isAlbum) {
    const grid = element("div", "album");
    grid.append(...files);
    bubble.append(grid);
  } else bubble.append(...files);
  if (line.place) bubble.append(media.place(line.place));
  if (line.contact) bubble.append(media.contact(line.contact));
  if (line.text) {
    const text = element(bubble.classList.contains("pic") ? "p" : "div", "txt");
    text.dataset.text = "";
    text.append(rich(line.text, line.spans));
    bubble.append(text);
  }
  if (line.reactions.length > 0) bubble.append(element("span", "react", line.reactions.join("")));
}

// Buttons below a message. One that waits for the business's answer turns.
function keys(node, line, can, on) {
  const box = node.querySelector(".keys");
  box.hidden = line.buttons.length === 0;
  box.append(...line.buttons.map((one) => makeKey(one, line, can, on)));
}

function makeKey(one, line, can, on) {
  if (one.url) {
    const link = element("a", "btn s", one.label);
    [link.href, link.target, link.rel] = [one.url, "_blank", "noreferrer"];
    link.prepend(icon("link"));
    return link;
  }
  const node = button("btn s", one.label, () => on.press(line.id, one.id));
  if (one.description) node.append(element("span", "xs dimmer", one.description));
  if (one.is_waiting) node.prepend(element("span", "spin"));
  node.ariaBusy = String(one.is_waiting);
  node.disabled = !can.has("press") || !one.id;
  return node;
}

function foot(node, line, can, on) {
  node.querySelector("[data-edited]").hidden = !line.is_edited || line.is_deleted;
  const time = node.querySelector("time");
  time.dateTime = line.at;
  time.textContent = timeOf(line.at);
  if (line.state) time.after(makeTick(line.state));
  const isThere = !line.is_deleted;
  offer(node, "reply", isThere && can.has("reply"), () => on.reply(line));
  offer(node, "react", isThere && can.has("react") && line.is_theirs, () => (node.querySelector(".emoji").hidden ^= true));
  offer(node, "edit", isThere && can.has("edit") && !line.is_theirs && line.text !== "", () => on.edit(line));
  offer(node, "delete", isThere && can.has("delete") && !line.is_theirs, () => on.delete(line));
  node.querySelector(".emoji").append(
    ...EMOJI.map((emoji) => button("btn bare s", emoji, () => on.react(line.id, line.reactions.includes(emoji) ? "" : emoji))),
  );
}

function offer(node, name, isOffered, run) {
  const act = node.querySelector(`[data-act="${name}"]`);
  if (isOffered) act.addEventListener("click", run);
  else act.remove();
}

function makeTick(state) {
  const node = clone("t-tick");
  node.classList.add(state);
  node.title = words[state];
  node.querySelector(".sr").textContent = words[state];
  setIcon(node, TICKS[state]);
  return node;
}
