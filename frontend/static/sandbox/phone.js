// The phone page: who one is, what one does, what goes wrong. Looks every second whether something happened.

import * as composer from "./composer.js";
import * as control from "./control.js";
import { DEEDS } from "./elsewhere.js";
import { fill } from "./parts.js";
import * as talk from "./talk.js";

const EVERY_MS = 1000;
const TOAST_MS = 4000;
const SECONDS = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

const at = (id) => document.getElementById(id);
const here = new URL(location.href);
const chosen = { bot: Number(here.searchParams.get("bot")), person: Number(here.searchParams.get("person")) };
let seen = { bots: [], people: [] };
let chat = null;
let shown = "";
let answers = 0;
let isCreating = false;
let turn = 0;

const bot = () => seen.bots.find((one) => one.id === chosen.bot);
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
  at("bot-username").textContent = bot() ? fill(at("bot-username").dataset.text, bot()) : "";
  const which = chat ? `${chosen.bot} ${chosen.person}` : "";
  const isNew = which !== shown;
  shown = which;
  if (chat) talk.show(chat, composer.on);
  else talk.clear();
  at("no-bot").hidden = Boolean(bot());
  at("no-person").hidden = !bot() || Boolean(chat);
  at("no-message").hidden = !chat || chat.entries.length > 0;
  composer.draw(chat, isNew);
  toastNew(isNew);
  drawActs();
  drawFaults();
  drawWebhook();
}

// What a bot says to a pressed button fades away; an alert has to be confirmed.
function toastNew(isNew) {
  const all = chat?.entries.filter((entry) => entry.event === "answer") ?? [];
  const fresh = isNew ? [] : all.slice(answers);
  answers = all.length;
  for (const { text, is_alert: isAlert } of fresh) {
    const box = at(isAlert ? "alert" : "toast");
    box.querySelector("[data-text]").textContent = text;
    if (isAlert) {
      if (!box.open) box.showModal();
    } else {
      box.hidden = false;
      setTimeout(() => (box.hidden = true), TOAST_MS);
    }
  }
}

function drawActs() {
  for (const button of document.querySelectorAll("[data-do]")) {
    const what = button.dataset.do;
    if (what === "block") button.hidden = Boolean(chat?.is_blocked);
    if (what === "unblock") button.hidden = !chat?.is_blocked;
    button.disabled = !chat || (what === "forward" && chat.is_blocked) || (what === "edit" && (chat.is_blocked || !lastOwn()));
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
  at("faults-on").textContent = fill(at("faults-on").dataset.text, { count });
}

function drawWebhook() {
  const text = at("webhook").dataset;
  const info = bot()?.webhook;
  const last = bot()?.deliveries.at(-1);
  if (!info?.url) {
    status("off", [bot() ? text.none : ""]);
    return;
  }
  const waiting = info.pending_update_count ? [fill(text.waiting, { count: info.pending_update_count })] : [];
  if (!last) {
    status("off", [text.ready, ...waiting]);
    return;
  }
  const values = { time: SECONDS.format(last.at * 1000), status: last.status, ms: Math.round(last.milliseconds), seconds: Math.round(last.again_in) };
  if (!last.error) status("good", [fill(text.ok, values), ...waiting]);
  else {
    const what = fill(last.status === null ? text.silent : text.failed, values);
    status("bad", [what, last.again_in === null ? text.over : fill(text.again, values), ...waiting]);
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
    at("refused").querySelector(".grow").textContent = fill(at("refused").dataset.text, { detail: error.message });
    at("refused").hidden = false;
    return false;
  } finally {
    await look();
  }
}

composer.connect(attempt);

function remember() {
  here.searchParams.set("bot", chosen.bot);
  here.searchParams.set("person", chosen.person);
  history.replaceState(null, "", here);
}

document.querySelectorAll("[data-do]").forEach((button) =>
  button.addEventListener("click", () => {
    const what = button.dataset.do;
    if (what === "edit") composer.on.edit(lastOwn());
    else if (what === "start") composer.send({ start: "" });
    else if (what === "forward") composer.send({ text: button.dataset.text, forward: "K. M." });
    else if (what in DEEDS) attempt(() => DEEDS[what](chosen.bot, chosen.person));
    else attempt(() => control.act(chosen.bot, chosen.person, what));
  }),
);

document.querySelectorAll("[data-fault]").forEach((input) =>
  input.addEventListener("change", () => {
    const more = input.checked ? JSON.parse(input.dataset.with) : {};
    attempt(() => control.setFault(chosen.bot, { kind: input.dataset.fault, on: input.checked, ...more }));
  }),
);

at("bots").addEventListener("change", () => {
  composer.stop();
  chosen.bot = Number(at("bots").value);
  remember();
  look();
});

at("people").addEventListener("change", () => {
  composer.stop();
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
