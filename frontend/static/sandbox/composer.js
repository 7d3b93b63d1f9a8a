// The lower end of the phone: the text field, what is answered or mended, the attach menu, and the keyboard a bot shows.

import * as control from "./control.js";
import { element, fill, summary, words } from "./parts.js";

const at = (id) => document.getElementById(id);
const STEP = 0.0004;
let chat = null;
let look = "";
let attempt = null;
let mode = null;

// `run` does something with the control API and tells what was refused; true when it was done.
export function connect(run) {
  attempt = run;
}

const bot = () => chat.bot.id;
const person = () => chat.person.id;
export const send = (what) => attempt(() => control.write(bot(), person(), what));

// What a message offers.
export const on = {
  press: (message_id, data) => attempt(() => control.act(bot(), person(), "press", { message_id, data })),
  reply(message) {
    const picked = String(getSelection()).trim();
    const quote = picked && summary(message).includes(picked) ? picked : undefined;
    set({ reply_to: message.message_id, quote }, fill(words.replying, { text: quote ?? summary(message) }));
  },
  edit(message) {
    at("text").value = message.text ?? message.caption;
    set({ edit: message.message_id }, words.editing);
  },
  move({ message_id, location }) {
    const moved = { latitude: location.latitude + STEP, longitude: location.longitude + STEP };
    return attempt(() => control.edit(bot(), person(), message_id, { location: moved }));
  },
};

function set(next, text) {
  mode = next;
  at("mode").hidden = next === null;
  at("mode").querySelector("[data-text]").textContent = text;
  at("send").ariaLabel = at("send").dataset[next?.edit ? "save" : "send"];
  at("text").focus();
}

export function stop() {
  if (mode?.edit) at("text").value = "";
  mode = null;
  at("mode").hidden = true;
  at("send").ariaLabel = at("send").dataset.send;
}

export function draw(next, isNew) {
  chat = next;
  const isSilent = !chat || chat.is_blocked;
  at("is-blocked").hidden = !chat?.is_blocked;
  at("text").disabled = at("send").disabled = isSilent;
  at("attach").hidden = isSilent;
  if (isSilent) stop();
  if (chat && chat.entries.length === 0 && !chat.is_open && isNew) at("text").value = "/start";
  drawKeyboard(isSilent ? null : chat.keyboard);
}

function drawKeyboard(keyboard) {
  const wanted = JSON.stringify(keyboard);
  if (wanted === look) return;
  look = wanted;
  at("keyboard").hidden = !keyboard;
  at("keyboard").replaceChildren(...(keyboard?.keyboard ?? []).map(makeRow));
}

function makeRow(keys) {
  const row = element("div", "choices");
  for (const key of keys) {
    const button = element("button", "btn", key.text);
    button.type = "button";
    button.addEventListener("click", () => send(key.request_contact ? { sample: "contact" } : key.request_location ? { sample: "location" } : { text: key.text }));
    row.append(button);
  }
  return row;
}

at("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text || at("send").ariaBusy === "true") return;
  at("send").ariaBusy = "true";
  const { edit, reply_to, quote } = mode ?? {};
  const body = text.startsWith("/start") ? { text } : { text, is_typed: true, reply_to, quote };
  const isDone = await (edit ? attempt(() => control.edit(bot(), person(), edit, { text })) : send(body));
  at("send").ariaBusy = "false";
  if (!isDone) return;
  stop();
  at("text").value = "";
});

at("mode-stop").addEventListener("click", () => {
  stop();
  at("text").focus();
});

// The attach menu

document.querySelectorAll("[data-attach]").forEach((button) =>
  button.addEventListener("click", () => {
    const body = JSON.parse(button.dataset.attach);
    at("attach").open = false;
    send({ ...body, reply_to: mode?.reply_to });
    stop();
  }),
);

at("pick").addEventListener("click", () => at("disk").click());

at("disk").addEventListener("change", () => {
  const files = [...at("disk").files].slice(0, 10);
  at("attach").open = false;
  attempt(async () => {
    const contents = [];
    for (const file of files) contents.push(await control.upload(bot(), kindOf(file, files), file));
    const body = contents.length > 1 ? { album: contents.map((content) => ({ content })) } : { content: contents[0] };
    await control.write(bot(), person(), { ...body, reply_to: mode?.reply_to });
    stop();
  });
  at("disk").value = "";
});

// Pictures and films mix in an album, any other kind goes only with its like: then all are documents.
function kindOf(file, files) {
  const kinds = files.map(({ type }) => ({ "image/jpeg": "photo", "image/png": "photo", "image/webp": "photo", "image/gif": "animation", "video/mp4": "video", "audio/mpeg": "audio", "audio/ogg": "voice" })[type] ?? "document");
  if (files.length === 1) return kinds[0];
  return kinds.every((kind) => kind === "photo" || kind === "video") ? kinds[files.indexOf(file)] : "document";
}

document.addEventListener("click", (event) => {
  if (!at("attach").contains(event.target)) at("attach").open = false;
});
at("attach").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  at("attach").open = false;
  at("attach").querySelector("summary").focus();
});
