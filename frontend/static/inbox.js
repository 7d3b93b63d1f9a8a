// The inbox: what changed is gathered for a moment, asked for in one request and swapped by id.

import { ask, Offline, Refused } from "./http.js";
import { Composer } from "./composer.js";
import "./templates.js";
import { listen, openMenu } from "./keys.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { morph, parse } from "./morph.js";
import { Presence } from "./presence.js";
import { Thread } from "./thread.js";
import { clockTime, number, word } from "./words.js";

const GATHER = 40; // milliseconds
const RETRY = 2_000;
const MOST = 100; // ids the hub draws at once
const BUSY_AFTER = 150;
const COLOUR = 15_000;

const page = document.querySelector(".inbox");
const { base, view } = page.dataset;
const writes = "writes" in page.dataset;
const list = new List(base, view);
let thread;
let composer;
let presence;
let want = empty();
let timer = 0;
let asking = false;
let pause = GATHER;
let offline = false;
let opened = 0;

function empty() {
  return { rows: new Set(), messages: new Set(), thread: false, counts: false };
}

function take() {
  leave();
  thread?.close();
  thread = new Thread(base, view, writes);
  composer = new Composer(base, thread, changed, (kind) => (kind ? presence.writes(kind) : presence.rests()));
  presence?.close();
  presence = new Presence(base, thread.id, page.dataset.me, (colleague, since) => composer.yieldTo(colleague, since));
  list.select(thread.id);
}

// What was typed is saved before the place changes; then its row says "Draft".
async function leave() {
  if (!composer) return;
  const { id } = thread;
  if (!(await composer.save()) || !list.has(id)) return;
  want.rows.add(id);
  soon();
}

// A change from the feed.
function heard({ kind, data }) {
  want.counts = true;
  if (data.conversation) want.rows.add(data.conversation);
  if (kind === "channel") dispatchEvent(new Event("channel-changed"));
  if (["channel", "member", "team"].includes(kind) || data.conversation === thread.id) want.thread = true;
  if (data.message && data.conversation === thread.id) want.messages.add(data.message);
  soon();
}

// Something we did ourselves: draw it now, the feed will say it again.
function changed({ conversation, message }) {
  if (conversation) want.rows.add(conversation);
  if (message && conversation === thread.id) want.messages.add(message);
  want.thread = true;
  soon();
}

function soon() {
  if (!asking) timer ||= setTimeout(refresh, pause);
}

async function refresh() {
  timer = 0;
  asking = true;
  const now = want;
  want = empty();
  const rows = [...now.rows];
  if (rows.length > MOST) list.stale(rows.splice(MOST).filter((id) => !list.has(id)));
  const query = new URLSearchParams({ view, rows: rows.join() });
  const mine = thread;
  if (now.thread && mine.id) {
    const [oldest, tail] = mine.bounds();
    const messages = [...now.messages].slice(-MOST).join();
    for (const [name, value] of Object.entries({ conversation: mine.id, messages, oldest, tail })) query.set(name, value);
  }
  try {
    apply(await ask(`${base}/updates?${query}`), mine);
    pause = GATHER;
  } catch (error) {
    if (error instanceof Refused && error.status < 500) location.reload(); // a right was taken, or what is open is gone
    for (const id of now.rows) want.rows.add(id); // nothing is forgotten: asked again with the next change or connection
    for (const id of now.messages) want.messages.add(id);
    want.thread ||= now.thread;
    want.counts = true;
    pause = RETRY;
  }
  asking = false;
  if (!offline && (want.rows.size || want.thread || want.counts)) soon();
}

function apply(answer, mine) {
  for (const node of document.querySelectorAll("[data-count]")) {
    const count = answer.counts[node.dataset.count];
    const text = count ? number(count) : "";
    if (node.textContent !== text) node.textContent = text;
    node.classList.toggle("late", answer.counts[`${node.dataset.count}.late`] > 0);
  }
  list.apply(answer.rows);
  if (!answer.parts || mine !== thread) return;
  thread.apply(answer.thread);
  for (const id of ["head", "contact"]) morph(document.getElementById(id), parse(answer.parts[id])[0]);
  document.getElementById("contact").setAttribute("role", page.dataset.pane === "side" ? "main" : "complementary");
  composer.apply(answer.parts.composer, answer.reason, answer.may);
}

// Connection: the same words in every place that shows it.
function show(state) {
  offline = state === "offline";
  const [dot, text] = {
    live: ["good", word("live")],
    catching: ["accent", word("catching")],
    offline: ["warn", word("offline", clockTime())],
  }[state];
  for (const node of document.querySelectorAll("[data-connection]")) {
    node.dataset.connection = state;
    node.querySelector(".dot").className = `dot ${dot}`;
    node.querySelector("span:last-child").textContent = text;
  }
  if (!offline && (want.rows.size || want.thread || want.counts)) soon();
}

// Bring a pane to the front: the main part of the page, and on a small screen the only one.
const ROLES = { list: ["list", "region"], thread: ["thread", "region"], side: ["contact", "complementary"] };
function front(pane) {
  page.dataset.pane = pane;
  for (const [name, [id, role]] of Object.entries(ROLES)) document.getElementById(id).setAttribute("role", name === pane ? "main" : role);
  const [id] = ROLES[pane];
  document.querySelector(".skip").setAttribute("href", `#${id}`);
  if (matchMedia("(max-width: 767px)").matches) document.getElementById(id).focus();
}

// Opening a conversation, the contact or the list, without losing the list's place.
async function open(url, push = true) {
  const number_ = ++opened;
  const node = document.querySelector("[data-thread]");
  const busy = setTimeout(() => node.setAttribute("aria-busy", "true"), BUSY_AFTER);
  let answer;
  try {
    answer = await ask(url);
  } catch (error) {
    if (number_ === opened) toast(error instanceof Offline ? word("away") : error.message);
    return;
  } finally {
    clearTimeout(busy);
    node.removeAttribute("aria-busy");
  }
  if (number_ !== opened) return;
  if (push) history.pushState(null, "", url);
  document.title = answer.title;
  document.querySelector("[data-thread]").replaceWith(...parse(answer.thread));
  document.getElementById("contact").replaceWith(...parse(answer.side));
  take();
  front(answer.pane);
}

addEventListener("click", (event) => {
  const link = event.target.closest?.("a.row, a[data-go], a[data-side], .side a.id");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if ("side" in link.dataset) {
    front(page.dataset.pane === "side" ? "thread" : "side");
    history.pushState(null, "", `${base}/inbox/${view}/${thread.id}${page.dataset.pane === "side" ? "/contact" : ""}`);
  } else if (link.id !== thread.id) open(link.href);
  else front("thread");
});

addEventListener("popstate", () => {
  if (location.pathname.startsWith(`${base}/inbox/${view}`)) open(location.href, false);
  else location.reload();
});

// Buttons that act at once: assign, due time, snooze, done, reopen, send again, settle.
addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("act" in form.dataset)) return;
  event.preventDefault();
  const { submitter } = event;
  const { act } = form.dataset; // what comes over the stream meanwhile may draw the form anew
  const goesOn = "next" in form.dataset;
  const url = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
  const body = new URLSearchParams(new FormData(form, submitter));
  const menu = form.closest("details.pop");
  if (menu) menu.open = false;
  menu?.querySelector("summary").focus();
  if (submitter) submitter.disabled = true;
  try {
    const answer = await ask(url, body);
    changed(answer);
    if (goesOn) await goOn(answer.conversation);
    if (["done", "snooze"].includes(act)) toast(word(act), () => undo(answer.conversation));
  } catch (error) {
    toast(error instanceof Offline ? word("away") : error.message);
    changed({});
  }
  if (submitter) submitter.disabled = false;
});

// "Done and next": the conversation below, else the one above, ready to be answered.
async function goOn(from) {
  const row = list.beside(from, 1) ?? list.beside(from, -1);
  if (!row) return;
  await open(row.href);
  composer.focus("reply");
}

async function undo(conversation) {
  changed(await ask(`${base}/conversations/${conversation}/reopen`, new URLSearchParams({ view })));
}

function toast(text, back = null) {
  const [node] = parse(`<div class="toast"><span></span></div>`);
  node.firstChild.textContent = text;
  if (back) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word("undo");
    button.addEventListener("click", () => {
      node.remove();
      back();
    });
    node.append(button);
  }
  document.querySelector("[data-toasts]").replaceChildren(node);
  setTimeout(() => node.remove(), 8_000);
}

// A due time turns amber by itself; that it has passed is told by the hub.
function colour() {
  for (const node of document.querySelectorAll("[data-soon]")) if (Date.parse(node.dataset.soon) <= Date.now()) node.classList.add("soon");
}

function step(by) {
  const row = list.beside(thread.id, by);
  if (!row) return;
  row.focus();
  open(row.href);
}

function finish() {
  const form = document.querySelector("#head form[data-act=done]");
  if (!form) return;
  form.dataset.next = "";
  form.requestSubmit();
}

listen({
  j: () => step(1),
  k: () => step(-1),
  r: () => composer.focus("reply"),
  n: () => composer.focus("note"),
  e: finish,
  a: () => openMenu("assign"),
  d: () => openMenu("due"),
  z: () => openMenu("snooze"),
  c: () => document.querySelector("#head [data-side]")?.click(),
  w: () => document.querySelector("[data-start]")?.click(),
});

setInterval(colour, COLOUR);
document.addEventListener("visibilitychange", () => {
  thread.look();
  presence.look();
  if (document.visibilityState === "hidden") composer.save();
});
addEventListener("online", () => composer.save());
addEventListener("pagehide", () => presence.close());
document.addEventListener("toast", ({ detail }) => toast(detail));
take();
new Live(base, Number(page.dataset.seq), { change: heard, whisper: (data) => presence.heard(data), show }).start();
