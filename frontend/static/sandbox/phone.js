// The phone page: which messenger, who one is, what one does, what goes wrong. Looks every second whether something happened.

import * as api from "./api.js";
import * as composer from "./composer.js";
import { button, element, fill, mark, secondsOf, words } from "./parts.js";
import * as talk from "./talk.js";

const EVERY_MS = 1000;
const FAULT_SECONDS = { rate_limited: 20, file_limited: 20 };

const at = (id) => document.getElementById(id);
const address = new URL(location.href);
const here = Object.fromEntries(["connector", "account", "person"].map((name) => [name, address.searchParams.get(name) ?? ""]));
let seen = { messengers: [], people: [], chat: null, deliveries: { waiting: 0, deliveries: [] } };
let isCreating = false;
let turn = 0;
let acting = 0;

const messenger = () => seen.messengers.find((one) => one.connector === here.connector);
const account = () => messenger()?.accounts.find((one) => one.id === here.account);
const can = () => new Set(messenger()?.can ?? []);
const lastOwn = () => seen.chat?.lines.findLast((line) => !line.is_theirs && !line.note && !line.is_deleted && line.text);

// Looking

async function look() {
  const mine = ++turn;
  try {
    const now = await gather();
    if (mine !== turn || acting > 0) return; // what was seen before an act is old
    seen = now;
    draw();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError || error instanceof api.Refused)) throw error;
    if (mine === turn) status("bad", [at("webhook").dataset.offline]);
  }
}

// Everything there is to see; keeps the choice while it exists, else takes the first.
async function gather() {
  const messengers = (await api.messengers()).filter((one) => one.accounts.length > 0);
  const chosen = messengers.find((one) => one.connector === here.connector) ?? messengers[0];
  here.connector = chosen?.connector ?? "";
  here.account = keep(chosen?.accounts, here.account);
  if (!here.account) return { messengers, people: [], chat: null, deliveries: { waiting: 0, deliveries: [] } };
  const [people, deliveries] = await Promise.all([api.people(here), api.deliveries(here)]);
  here.person = keep(people, here.person);
  const chat = here.person && !isCreating ? await api.chat(here) : null;
  return { messengers, people, chat, deliveries };
}

const keep = (all, id) => (all?.some((one) => one.id === id) ? id : (all?.[0]?.id ?? ""));

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, EVERY_MS);
}

// Drawing

function draw() {
  drawMessengers();
  const accounts = messenger()?.accounts ?? [];
  options(at("accounts"), accounts.map((one) => [one.id, `${one.title} · ${one.address}`]), here.account);
  at("of-account").hidden = accounts.length < 2;
  options(at("people"), [...seen.people.map((one) => [one.id, one.name]), ["", at("people").dataset.new]], isCreating ? "" : here.person);
  at("people").disabled = !account();
  at("new-person").hidden = !account() || !(isCreating || seen.people.length === 0);
  drawHead();
  if (seen.chat) talk.show({ ...here }, seen.chat, can(), composer.on);
  else talk.clear();
  at("no-account").hidden = Boolean(account());
  at("no-person").hidden = !account() || Boolean(seen.chat);
  at("no-message").hidden = !seen.chat || seen.chat.lines.length > 0;
  composer.draw(here, seen.chat, can());
  drawActs();
  drawExtras();
  drawFaults();
  drawDeliveries();
}

function drawMessengers() {
  once(at("messengers"), seen.messengers.map(({ connector, label, mark: sign }) => ({ connector, label, sign })), ({ connector, label, sign }) => {
    const node = element("label", "choose");
    const input = element("input", "sr");
    [input.type, input.name, input.value] = ["radio", "messenger", connector];
    input.addEventListener("change", () => go({ connector, account: "", person: "" }));
    node.append(input, mark(sign), element("span", "cut", label));
    return node;
  });
  for (const input of at("messengers").querySelectorAll("input")) input.checked = input.value === here.connector;
}

function drawHead() {
  const phone = at("phone");
  const sign = messenger()?.mark ?? "";
  if (phone.dataset.mark !== sign) {
    phone.dataset.mark = sign;
    at("sign").replaceChildren(...(sign ? [mark(sign)] : []));
  }
  at("title").textContent = account()?.title ?? at("title").dataset.none;
  at("address").textContent = account() ? `${messenger().label} · ${account().address}` : "";
}

function drawActs() {
  const { chat } = seen;
  for (const node of document.querySelectorAll("[data-do]")) {
    const what = node.dataset.do;
    const act = what === "unblock" ? "block" : what;
    node.hidden = !can().has(act) || (what === "block" && Boolean(chat?.is_blocked)) || (what === "unblock" && !chat?.is_blocked);
    node.disabled = !chat || ((what === "edit" || what === "delete") && (chat.is_blocked || !lastOwn()));
  }
  at("acts").hidden = ![...document.querySelectorAll("[data-do]")].some((node) => !node.hidden);
}

function drawExtras() {
  const extras = Object.entries(messenger()?.extras ?? {});
  at("of-extras").hidden = extras.length === 0;
  at("extras-title").textContent = fill(at("extras-title").dataset.text, { messenger: messenger()?.label });
  once(at("extras"), extras, ([name, text]) => button("btn s", text, () => attempt(() => api.act(here, "extra", { name }))));
  for (const node of at("extras").children) node.disabled = !seen.chat;
}

function drawFaults() {
  const on = messenger()?.faults ?? {};
  once(at("faults"), Object.entries(messenger()?.fault_kinds ?? {}), ([kind, text]) => {
    const node = element("label", "line sm fault");
    const input = element("input", "switch");
    [input.type, input.role, input.value] = ["checkbox", "switch", kind];
    input.addEventListener("change", () => attempt(() => api.setFault(here, { kind, on: input.checked, seconds: input.checked ? FAULT_SECONDS[kind] : undefined })));
    node.append(element("span", "grow", text), input);
    return node;
  });
  for (const input of at("faults").querySelectorAll("input")) input.checked = input.value in on;
  const count = Object.keys(on).length;
  at("faults-on").hidden = count === 0;
  at("faults-on").textContent = fill(at("faults-on").dataset.text, { count });
}

function drawDeliveries() {
  const { waiting, deliveries } = seen.deliveries;
  once(at("deliveries"), deliveries, (one) => {
    const node = element("li", "line sm num");
    const outcome = element("span", "grow", said(one));
    node.append(element("span", `dot ${isGood(one) ? "good" : "bad"}`), element("time", "dimmer", secondsOf(one.at)), outcome);
    if (one.milliseconds) node.append(element("span", "dimmer", `${Math.round(one.milliseconds)} ms`));
    return node;
  });
  at("of-deliveries").hidden = deliveries.length === 0;
  const text = at("webhook").dataset;
  const rest = waiting ? [fill(text.waiting, { count: waiting })] : [];
  const [last] = deliveries;
  if (!last) status("off", [account() ? text.none : "", ...rest]);
  else status(isGood(last) ? "good" : "bad", [fill(text.last, { time: secondsOf(last.at), outcome: said(last) }), ...rest]);
}

const isGood = ({ outcome }) => outcome >= 200 && outcome < 300;

function said({ outcome }) {
  if (typeof outcome === "number") return fill(isGood({ outcome }) ? words.delivered_ok : words.delivered_failed, { status: outcome });
  return outcome === "lost" ? words.delivered_lost : fill(words.delivered_silent, { error: outcome });
}

function status(kind, parts) {
  const [dot, node] = at("webhook").children;
  dot.className = `dot ${kind}`;
  const text = parts.filter(Boolean).join(" · ");
  if (node.textContent !== text) node.textContent = text;
}

function options(select, wanted, value) {
  if (isOld(select, wanted)) select.replaceChildren(...wanted.map(([id, text]) => new Option(text, id)));
  select.value = value;
}

// New children only for a new list: nothing loses the focus.
function once(parent, wanted, make) {
  if (isOld(parent, [here.connector, wanted])) parent.replaceChildren(...wanted.map(make));
}

function isOld(node, wanted) {
  const look = JSON.stringify(wanted);
  if (node.dataset.look === look) return false;
  node.dataset.look = look;
  return true;
}

// Doing

async function attempt(act) {
  at("refused").hidden = true;
  acting += 1;
  try {
    await act();
    return true;
  } catch (error) {
    if (!(error instanceof api.Refused)) throw error;
    at("refused").querySelector(".grow").textContent = fill(at("refused").dataset.text, { detail: error.message });
    at("refused").hidden = false;
    return false;
  } finally {
    acting -= 1;
    await look();
  }
}

composer.connect(attempt);

async function go(choice) {
  composer.stop();
  at("text").value = "";
  at("refused").hidden = true;
  isCreating = choice.person === null;
  Object.assign(here, isCreating ? {} : choice);
  await look();
  for (const [name, value] of Object.entries(here)) address.searchParams.set(name, value);
  history.replaceState(null, "", address);
  if (isCreating) at("name").focus();
}

document.querySelectorAll("[data-do]").forEach((node) =>
  node.addEventListener("click", () => {
    const what = node.dataset.do;
    if (what === "edit") composer.on.edit(lastOwn());
    else if (what === "delete") composer.on.delete(lastOwn());
    else if (what === "block" || what === "unblock") attempt(() => api.act(here, "block", { is_blocked: what === "block" }));
    else attempt(() => api.act(here, what));
  }),
);

at("accounts").addEventListener("change", () => go({ account: at("accounts").value, person: "" }));
at("people").addEventListener("change", () => go({ person: at("people").value || null }));

at("new-person").addEventListener("submit", async (event) => {
  event.preventDefault();
  let created = null;
  await attempt(async () => (created = await api.addPerson(here, at("name").value.trim())));
  if (!created) return;
  at("name").value = "";
  await go({ person: created.id });
  at("text").focus();
});

document.addEventListener("visibilitychange", () => document.hidden || look());
watch();
