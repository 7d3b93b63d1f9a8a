// Everything a message can hold besides text: pictures, players, files, places, contacts, polls.

import { fileAddress } from "./control.js";
import { clone, element, icon, kindOf, lengthOf, nameOf, setIcon, sizeOf, words, fill } from "./parts.js";

const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
const MAKE = { photo, animation, video, video_note: videoNote, voice, audio, document: file, sticker, venue, location: place, contact, poll, dice };
export const PICTURES = new Set(["photo", "video", "animation"]);

// The node for what a message holds; null for a text. `own` is the person's id.
export function show(bot, message, own) {
  const kind = kindOf(message);
  if (kind === "text") return null;
  const value = message[kind];
  const isEmpty = value === null || typeof value !== "object" || Object.keys(value).length === 0;
  if (!(kind in MAKE) || isEmpty) return ghost(kind in MAKE ? "refresh" : "help", kind in MAKE ? fill(words.lost, { kind: nameOf(kind) }) : nameOf(kind));
  return MAKE[kind](bot, value, own);
}

function ghost(name, text) {
  const node = element("p", "lost");
  node.append(icon(name), element("span", "", text));
  return node;
}

// Pictures

function picture(bot, shown, alt) {
  const node = element("img");
  node.src = fileAddress(bot, shown.file_id);
  if (shown.width) [node.width, node.height] = [shown.width, shown.height];
  node.alt = alt;
  node.loading = "lazy";
  return node;
}

function photo(bot, sizes) {
  return picture(bot, sizes.at(-1), words.kind_photo);
}

function film(bot, shown, label) {
  const node = element("video");
  node.src = fileAddress(bot, shown.file_id);
  if (shown.width) [node.width, node.height] = [shown.width, shown.height];
  if (shown.thumbnail) node.poster = fileAddress(bot, shown.thumbnail.file_id);
  node.preload = "metadata";
  node.playsInline = true;
  node.setAttribute("aria-label", label);
  return node;
}

function video(bot, shown) {
  const node = film(bot, shown, words.kind_video);
  node.controls = true;
  return node;
}

function loop(bot, shown, label) {
  const node = film(bot, shown, label);
  node.muted = node.loop = true;
  node.autoplay = !isCalm.matches;
  node.controls = isCalm.matches;
  return node;
}

function animation(bot, shown) {
  return shown.mime_type === "image/gif" ? picture(bot, shown, words.kind_animation) : loop(bot, shown, words.kind_animation);
}

function sticker(bot, shown) {
  const label = `${words.kind_sticker} ${shown.emoji ?? ""}`;
  if (shown.is_video) return loop(bot, shown, label);
  if (!shown.is_animated) return picture(bot, shown, label);
  return shown.thumbnail ? picture(bot, shown.thumbnail, label) : element("span", "huge", shown.emoji ?? "?");
}

// Players

function player(media, title, seconds) {
  const node = clone("t-player");
  const button = node.querySelector("button");
  const bar = node.querySelector("progress");
  const time = node.querySelector("[data-time]");
  node.querySelector("[data-title]").textContent = title;
  time.textContent = lengthOf(seconds);
  button.setAttribute("aria-label", `${words.play}: ${title}`);
  connect(media, button);
  media.addEventListener("timeupdate", () => {
    bar.value = media.duration ? media.currentTime / media.duration : 0;
    time.textContent = lengthOf(media.paused ? seconds : media.currentTime);
  });
  node.append(media);
  return node;
}

function connect(media, button) {
  button.addEventListener("click", () => (media.paused ? media.play() : media.pause()));
  for (const name of ["play", "pause", "ended"]) media.addEventListener(name, () => setIcon(button, media.paused ? "play" : "stop"));
}

function sound(bot, shown) {
  const node = element("audio");
  node.preload = "none";
  node.src = fileAddress(bot, shown.file_id);
  return node;
}

function voice(bot, shown) {
  return player(sound(bot, shown), words.kind_voice, shown.duration);
}

function audio(bot, shown) {
  const title = [shown.performer, shown.title].filter(Boolean).join(" · ") || shown.file_name || words.kind_audio;
  return player(sound(bot, shown), title, shown.duration);
}

function videoNote(bot, shown) {
  const node = element("div", "round");
  const media = film(bot, shown, words.kind_video_note);
  const button = clone("t-play");
  button.setAttribute("aria-label", `${words.play}: ${words.kind_video_note}`);
  connect(media, button);
  node.append(media, button);
  return node;
}

// Cards

function card(name, title, text, href) {
  const node = element(href ? "a" : "div", "attach");
  if (href) [node.href, node.download] = [href, title];
  const mark = element("span", "fi");
  mark.append(icon(name));
  const lines = element("span", "stack s0 grow");
  lines.append(element("b", "cut", title), element("span", "xs dimmer", text));
  node.append(mark, lines);
  return node;
}

function file(bot, shown) {
  const size = shown.file_size ? sizeOf(shown.file_size) : "";
  return card("file", shown.file_name ?? words.kind_document, [size, shown.mime_type].filter(Boolean).join(" · "), fileAddress(bot, shown.file_id));
}

function contact(bot, shown, own) {
  const name = [shown.first_name, shown.last_name].filter(Boolean).join(" ");
  return card("user", name, shown.user_id === own ? fill(words.own_number, { number: shown.phone_number }) : shown.phone_number);
}

function map({ latitude, longitude, live_period: isLive }, title, text) {
  const node = element("div", "place");
  const link = element("a", "attach");
  link.href = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=17/${latitude}/${longitude}`;
  link.target = "_blank";
  link.rel = "noreferrer";
  const lines = element("span", "stack s0 grow");
  lines.append(element("b", "cut", title), element("span", "xs dimmer num", text));
  link.append(lines);
  if (isLive) link.append(element("span", "chip good", words.live));
  node.append(clone("t-map"), link);
  return node;
}

function place(bot, shown) {
  return map(shown, words.kind_location, `${shown.latitude.toFixed(5)}, ${shown.longitude.toFixed(5)}`);
}

function venue(bot, shown) {
  return map(shown.location, shown.title, shown.address);
}

function poll(bot, shown) {
  const node = element("div", "stack s0 poll");
  const list = element("ul");
  for (const option of shown.options) list.append(element("li", "", option.text));
  node.append(element("b", "", shown.question), list, element("span", "xs dimmer", words.kind_poll));
  return node;
}

function dice(bot, shown) {
  return element("span", "huge", `${shown.emoji} ${shown.value}`);
}
