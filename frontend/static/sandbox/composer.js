// The lower end of the phone: the text field, what is answered or mended, and the attach menu.

import * as api from "./api.js";
import { fill, summary, words } from "./parts.js";

const at = (id) => document.getElementById(id);
const TYPING_MS = 4000;
const CAPTIONED = new Set(["image", "video", "document"]);
const KINDS = { image: "image", video: "video", audio: "audio" };

let here = null;
let can = new Set();
let attempt = null;
let mode = null;
let idle = 0;

// `run` does something with the sandbox and tells what was refused; true when it was done.
export function connect(run) {
  attempt = run;
}

const act = (what, body) => attempt(() => api.act(here, what, body));

// What a message offers.
export const on = {
  press: (line, button) => act("press", { line, button }),
  react: (line, emoji) => act("react", { line, emoji }),
  delete: (line) => act("delete", { line: line.id }),
  reply: (line) => set({ reply_to: line.id }, fill(words.replying, { text: summary(line) })),
  edit(line) {
    at("text").value = line.text;
    set({ edit: line.id }, words.editing);
  },
};

function set(next, text) {
  mode = next;
  at("mode").hidden = false;
  at("mode").querySelector("[data-text]").textContent = text;
  at("send").ariaLabel = at("send").dataset[next.edit ? "save" : "send"];
  at("text").focus();
}

export function stop() {
  if (mode?.edit) at("text").value = "";
  mode = null;
  at("mode").hidden = true;
  at("send").ariaLabel = at("send").dataset.send;
}

// `chat` is null while nobody is chosen.
export function draw(place, chat, offered) {
  here = place;
  can = offered;
  const isSilent = !chat || chat.is_blocked || !can.has("write");
  at("is-blocked").hidden = !chat?.is_blocked;
  at("text").disabled = at("send").disabled = isSilent;
  for (const option of document.querySelectorAll("[data-attach]")) option.hidden = !can.has(option.dataset.needs);
  at("attach").hidden = isSilent || !["file", "voice", "place", "contact"].some((what) => can.has(what));
  if (isSilent) stop();
}

at("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text || at("send").ariaBusy === "true") return;
  at("send").ariaBusy = "true";
  const { edit, reply_to } = mode ?? {};
  const isDone = await (edit ? act("edit", { line: edit, text }) : act("write", { text, reply_to }));
  at("send").ariaBusy = "false";
  if (!isDone) return;
  rest();
  stop();
  at("text").value = "";
});

at("mode-stop").addEventListener("click", () => {
  stop();
  at("text").focus();
});

// Typing shows at the business while somebody types, where the messenger tells it.
at("text").addEventListener("input", () => {
  if (!can.has("typing") || mode?.edit) return;
  if (!idle) act("typing", { is_typing: true });
  clearTimeout(idle);
  idle = setTimeout(rest, TYPING_MS);
});

function rest() {
  if (!idle) return;
  clearTimeout(idle);
  idle = 0;
  act("typing", { is_typing: false });
}

// The attach menu

// A text that stands in the field goes along with a picture, film or document.
function taken(kind) {
  const text = CAPTIONED.has(kind) && !mode?.edit ? at("text").value.trim() : "";
  const { reply_to = "" } = mode ?? {};
  return { text, reply_to };
}

async function sent(isDone, { text }) {
  if (!isDone) return;
  if (text) at("text").value = "";
  stop();
}

document.querySelectorAll("[data-attach]").forEach((option) => {
  if (option.id === "pick") return;
  option.addEventListener("click", async () => {
    at("attach").open = false;
    const body = JSON.parse(option.dataset.attach);
    const more = taken(body.sample);
    await sent(await act("write", { ...body, ...(more.text ? more : { reply_to: more.reply_to }) }), more);
  });
});

at("pick").addEventListener("click", () => at("disk").click());

at("disk").addEventListener("change", async () => {
  const files = [...at("disk").files];
  at("attach").open = false;
  at("disk").value = "";
  for (const file of files) {
    const kind = kindOf(file);
    const more = taken(kind);
    const isDone = await attempt(() => api.sendFile(here, file, kind, more));
    if (!isDone) return;
    await sent(isDone, more);
  }
});

function kindOf(file) {
  if (file.type === "audio/ogg" && can.has("voice")) return "voice";
  return KINDS[file.type.split("/")[0]] ?? "document";
}

document.addEventListener("click", (event) => {
  if (!at("attach").contains(event.target)) at("attach").open = false;
});
at("attach").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  at("attach").open = false;
  at("attach").querySelector("summary").focus();
});
