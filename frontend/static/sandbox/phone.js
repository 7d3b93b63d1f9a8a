// The phone page: who one is, what one does, what goes wrong. Looks every second whether something happened.

import * as control from "./control.js";
import * as talk from "./talk.js";

const EVERY_MS = 1000;
const SECONDS = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const KINDS = {
  location: () => ({ content: { location: { latitude: 47.376887, longitude: 8.541694 } } }),
  contact: () => ({ content: { contact: { phone_number: "491701234567", first_name: person().first_name, user_id: person().id } } }),
  unknown: () => ({ content: { hologram: { file_id: "BQACAgIAAxkBAAIZ_h", depth: 3 } } }),
  start: () => ({ start: "" }),
};

const at = (id) => document.getElementById(id);
const here = new URL(location.href);
const chosen = { bot: Number(here.searchParams.get("bot")), person: Number(here.searchParams.get("person")) };
let seen = { bots: [], people: [] };
let chat = null;
let editing = null;
let isCreating = false;
let turn = 0;

const bot = () => seen.bots.find((one) => one.id === chosen.bot);
const person = () => seen.people.find((one) => one.id === chosen.person);
const fullName = (one) => [one.first_name, one.last_name].filter(Boolean).join(" ");
const lastOwn = () => chat?.entries.findLast((entry) => entry.from === "person" && entry.message?.text !== undefined)?.message;

// Looking

async function look() {
  const mine = ++turn;
  try {
    const now = await control.overview();
    choose(now);
    const found = chosen.bot && chosen.person && !isCreating ? await control.seeChat(chosen.bot, chosen.person) : null;
    if (mine !== turn) return;
    seen = now;
    chat = found;
    draw();
  } catch (error) {
    if (mine === turn) status("bad", [at("webhook").dataset.offline]);
    if (!(error instanceof TypeError || error instanceof SyntaxError || error instanceof control.Refused)) throw error;
  }
}

// Keep the choice while it exists, else take the first.
function choose(now) {
  if (!now.bots.some((one) => one.id === chosen.bot)) chosen.bot = now.bots[0]?.id ?? 0;
  if (!now.people.some((one) => one.id === chosen.person)) chosen.person = now.people[0]?.id ?? 0;
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, EVERY_MS);
}

// Drawing

function draw() {
  const { bots, people } = seen;
  options(at("bots"), bots.map((one) => [one.id, `Telegram · @${one.username}`]), chosen.bot);
  options(at("people"), [...people.map((one) => [one.id, fullName(one)]), ["", at("people").dataset.new]], isCreating ? "" : chosen.person);
  at("bots").disabled = bots.length === 0;
  at("new-person").hidden = !(isCreating || people.length === 0);
  at("bot-name").textContent = bot()?.name ?? at("bot-name").dataset.none;
  at("bot-username").textContent = bot() ? talk.fill(at("bot-username").dataset.text, bot()) : "";
  if (chat) talk.show(chat, (message_id, data) => act("press", { message_id, data }));
  else talk.clear();
  at("no-bot").hidden = Boolean(bot());
  at("no-person").hidden = !bot() || Boolean(chat);
  at("no-message").hidden = !chat || chat.entries.length > 0;
  drawFooter();
  drawActs();
  drawFaults();
  drawWebhook();
}

function drawFooter() {
  const isSilent = !chat || chat.is_blocked;
  at("is-blocked").hidden = !chat?.is_blocked;
  at("editing").hidden = editing === null;
  at("text").disabled = at("send").disabled = isSilent;
  if (isSilent) stopEditing();
  if (chat && chat.entries.length === 0 && !chat.is_open && at("text").dataset.offered !== String(chosen.person)) {
    at("text").value = "/start";
    at("text").dataset.offered = String(chosen.person);
  }
  at("send").ariaLabel = at("send").dataset[editing === null ? "send" : "save"];
}

function drawActs() {
  for (const button of document.querySelectorAll("[data-do]")) {
    const what = button.dataset.do;
    if (what === "block") button.hidden = Boolean(chat?.is_blocked);
    if (what === "unblock") button.hidden = !chat?.is_blocked;
    const needsVoice = what in KINDS && what !== "start";
    button.disabled = !chat || (needsVoice && chat.is_blocked) || (what === "edit" && (chat.is_blocked || !lastOwn()));
  }
}

function drawFaults() {
  const on = bot()?.faults ?? {};
  for (const input of document.querySelectorAll("[data-fault]")) {
    input.disabled = !bot();
    input.checked = input.dataset.fault in on;
  }
  const count = Object.keys(on).length;
  at("faults-on").hidden = count === 0;
  at("faults-on").textContent = talk.fill(at("faults-on").dataset.text, { count });
}

function drawWebhook() {
  const text = at("webhook").dataset;
  const info = bot()?.webhook;
  const last = bot()?.deliveries.at(-1);
  if (!info?.url) {
    status("off", [bot() ? text.none : ""]);
    return;
  }
  const waiting = info.pending_update_count ? [talk.fill(text.waiting, { count: info.pending_update_count })] : [];
  if (!last) {
    status("off", [text.ready, ...waiting]);
    return;
  }
  const values = { time: SECONDS.format(last.at * 1000), status: last.status, ms: Math.round(last.milliseconds), seconds: Math.round(last.again_in) };
  if (!last.error) status("good", [talk.fill(text.ok, values), ...waiting]);
  else {
    const what = talk.fill(last.status === null ? text.silent : text.failed, values);
    status("bad", [what, last.again_in === null ? text.over : talk.fill(text.again, values), ...waiting]);
  }
}

function status(kind, parts) {
  const [dot, words] = at("webhook").children;
  dot.className = `dot ${kind}`;
  const text = parts.join(" · ");
  if (words.textContent !== text) words.textContent = text;
}

function options(select, wanted, value) {
  const look = JSON.stringify(wanted);
  if (select.dataset.look !== look) {
    select.replaceChildren(...wanted.map(([id, text]) => new Option(text, id)));
    select.dataset.look = look;
  }
  select.value = String(value);
}

// Doing

async function attempt(act) {
  at("refused").hidden = true;
  try {
    await act();
    return true;
  } catch (error) {
    if (!(error instanceof control.Refused)) throw error;
    at("refused").querySelector(".grow").textContent = talk.fill(at("refused").dataset.text, { detail: error.message });
    at("refused").hidden = false;
    return false;
  } finally {
    await look();
  }
}

const write = (what) => attempt(() => control.write(chosen.bot, chosen.person, what));
const act = (what, body) => attempt(() => control.act(chosen.bot, chosen.person, what, body));

function stopEditing() {
  if (editing === null) return;
  editing = null;
  at("text").value = "";
}

function remember() {
  here.searchParams.set("bot", chosen.bot);
  here.searchParams.set("person", chosen.person);
  history.replaceState(null, "", here);
}

at("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text || at("send").ariaBusy === "true") return;
  at("send").ariaBusy = "true";
  const message = editing;
  const isDone = await (message === null ? write({ text }) : attempt(() => control.edit(chosen.bot, chosen.person, message, text)));
  at("send").ariaBusy = "false";
  if (!isDone) return;
  editing = null;
  at("text").value = "";
  drawFooter();
});

at("edit-stop").addEventListener("click", () => {
  stopEditing();
  drawFooter();
  at("text").focus();
});

document.querySelectorAll("[data-do]").forEach((button) =>
  button.addEventListener("click", () => {
    const what = button.dataset.do;
    if (what === "edit") {
      editing = lastOwn().message_id;
      at("text").value = lastOwn().text;
      drawFooter();
      at("text").focus();
    } else if (what in KINDS) write(KINDS[what]());
    else act(what);
  }),
);

document.querySelectorAll("[data-fault]").forEach((input) =>
  input.addEventListener("change", () => {
    const more = input.checked ? JSON.parse(input.dataset.with) : {};
    attempt(() => control.setFault(chosen.bot, { kind: input.dataset.fault, on: input.checked, ...more }));
  }),
);

at("bots").addEventListener("change", () => {
  stopEditing();
  chosen.bot = Number(at("bots").value);
  remember();
  look();
});

at("people").addEventListener("change", () => {
  stopEditing();
  at("text").value = "";
  isCreating = at("people").value === "";
  if (!isCreating) {
    chosen.person = Number(at("people").value);
    remember();
  }
  look().then(() => isCreating && at("name").focus());
});

at("new-person").addEventListener("submit", (event) => {
  event.preventDefault();
  const [first_name, ...rest] = at("name").value.trim().split(/\s+/);
  const last_name = rest.join(" ") || null;
  attempt(async () => {
    const created = await control.createPerson({ first_name, last_name, language_code: document.documentElement.lang });
    chosen.person = created.id;
    isCreating = false;
    at("name").value = "";
    remember();
    at("text").focus();
  });
});

document.addEventListener("visibilitychange", () => document.hidden || look());
watch();
