// Everything a message can hold besides text: pictures, players, files, places, contacts.

import { fileAddress } from "./api.js";
import { clone, element, icon, lengthOf, setIcon, sizeOf, words, fill } from "./parts.js";

const MAKE = { image, video, voice: sound, audio: sound, document: download, sticker };
const SEEN = new Set(["image", "video"]);

export const isPicture = (file) => SEEN.has(file.kind) && file.id !== "";

export function show(here, file) {
  return file.id ? MAKE[file.kind](fileAddress(here, file.id), file) : ghost(file);
}

// A file that this phone showed once and has no more.
function ghost(file) {
  const node = element("p", "lost");
  node.append(icon("refresh"), element("span", "", fill(words.lost, { kind: words[`kind_${file.kind}`] })));
  return node;
}

function image(address, file) {
  const node = element("img");
  node.src = address;
  node.alt = words[`kind_${file.kind}`];
  node.loading = "lazy";
  node.addEventListener("error", () => node.replaceWith(ghost(file)));
  return node;
}

function video(address, file) {
  const node = element("video");
  node.src = address;
  node.preload = "metadata";
  node.playsInline = node.controls = true;
  node.setAttribute("aria-label", words.kind_video);
  node.addEventListener("error", () => node.replaceWith(ghost(file)));
  return node;
}

function sticker(address, file) {
  return file.mime.startsWith("video/") ? video(address, file) : image(address, file);
}

function sound(address, file) {
  const media = element("audio");
  media.preload = "metadata";
  media.src = address;
  const title = file.kind === "voice" ? words.kind_voice : file.name || words.kind_audio;
  const node = clone("t-player");
  const button = node.querySelector("button");
  const bar = node.querySelector("progress");
  const time = node.querySelector("[data-time]");
  node.querySelector("[data-title]").textContent = title;
  button.setAttribute("aria-label", `${words.play}: ${title}`);
  button.addEventListener("click", () => (media.paused ? media.play() : media.pause()));
  for (const name of ["play", "pause", "ended"]) media.addEventListener(name, () => setIcon(button, media.paused ? "play" : "stop"));
  for (const name of ["loadedmetadata", "timeupdate", "ended"]) {
    media.addEventListener(name, () => {
      bar.value = media.duration ? media.currentTime / media.duration : 0;
      time.textContent = lengthOf(media.paused ? media.duration : media.currentTime);
    });
  }
  media.addEventListener("error", () => node.replaceWith(ghost(file)));
  node.append(media);
  return node;
}

function download(address, file) {
  const text = [sizeOf(file.size), file.mime].filter(Boolean).join(" · ");
  const node = card("a", "file", file.name || words.kind_document, text);
  [node.href, node.download] = [address, file.name];
  return node;
}

export function contact([name, phone]) {
  return card("div", "user", name, phone);
}

function card(tag, name, title, text) {
  const node = element(tag, "attach");
  const sign = element("span", "fi");
  sign.append(icon(name));
  const lines = element("span", "stack s0 grow");
  lines.append(element("b", "cut", title), element("span", "xs dimmer", text));
  node.append(sign, lines);
  return node;
}

export function place([latitude, longitude]) {
  const node = element("div", "place");
  const link = element("a", "attach");
  link.href = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=17/${latitude}/${longitude}`;
  [link.target, link.rel] = ["_blank", "noreferrer"];
  const lines = element("span", "stack s0 grow");
  lines.append(element("b", "cut", words.kind_place), element("span", "xs dimmer num", `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`));
  link.append(lines);
  node.append(clone("t-map"), link);
  return node;
}
