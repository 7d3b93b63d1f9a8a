// The chat of a website, whole: served with its settings behind it as `openChat({…})` (`hub/webchat/loader.py`). A module without
// imports in a shadow root, with its own style and words. Before the visitor writes it asks nobody and keeps nothing; after that it
// keeps a token in this site's storage. No markup is made of text, so it works under the strictest policies of the page around it.

const CSS = `
:host { all: initial; color-scheme: light dark; }
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.chat {
  --raised: #fff; --base: #f8f7f4; --line: #e4e2dc; --edge: #8f8b83; --text: #1d1c1a; --dim: #6b6760; --hover: #1d1c1a0f;
  --bad: #a52920; --bad-soft: #fbe9e6; --fill: var(--light); --on: var(--on-light); --shadow: 0 2px 6px #1d1c1a1f, 0 16px 48px #1d1c1a2e;
  position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: 2147483000;
  font: 400 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; color: var(--text); text-align: start;
  -webkit-text-size-adjust: 100%;
}
@media (prefers-color-scheme: dark) { .chat {
  --raised: #232321; --base: #1a1a18; --line: #3a3935; --edge: #7d796f; --text: #eceae5; --dim: #a5a097; --hover: #ffffff14;
  --bad: #f2988f; --bad-soft: #2e1d1b; --fill: var(--dark); --on: var(--on-dark); --shadow: 0 0 0 1px #403e39, 0 16px 48px #000000a0;
} }
.chat.left { inset-inline: 20px auto; }
button, input, textarea { font: inherit; color: inherit; margin: 0; }
button { border: 0; background: none; cursor: pointer; padding: 0; }
:focus-visible { outline: 2px solid var(--focus, var(--fill)); outline-offset: 2px; }
svg { inline-size: 20px; block-size: 20px; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; display: block; }
.launch {
  position: relative; inline-size: 56px; block-size: 56px; border-radius: 50%; background: var(--fill); color: var(--on);
  display: grid; place-items: center; box-shadow: var(--shadow); margin-inline-start: auto; --focus: var(--text);
}
.left .launch { margin-inline-start: 0; }
.launch svg { inline-size: 26px; block-size: 26px; grid-area: 1 / 1; }
.chat:not(.open) .launch svg:nth-of-type(2), .open .launch svg:nth-of-type(1) { display: none; }
.badge {
  position: absolute; inset-block-start: -4px; inset-inline-end: -4px; min-inline-size: 22px; block-size: 22px; padding-inline: 6px;
  border-radius: 11px; background: var(--text); color: var(--raised); font-size: 12px; font-weight: 600; line-height: 22px; text-align: center;
}
.panel {
  display: flex; flex-direction: column; inline-size: 376px; block-size: min(620px, calc(100dvh - 112px)); margin-block-end: 12px;
  background: var(--raised); border-radius: 12px; box-shadow: var(--shadow); overflow: hidden;
}
header { display: flex; align-items: center; gap: 4px; min-block-size: 60px; padding: 8px 8px 8px 16px; border-block-end: 1px solid var(--line); }
h2 { flex: 1; min-inline-size: 0; margin: 0; font-size: 15px; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.sq { inline-size: 40px; block-size: 40px; border-radius: 8px; display: grid; place-items: center; color: var(--dim); flex: none; }
.sq:hover { background: var(--hover); color: var(--text); }
.scroll { flex: 1; overflow-y: auto; overscroll-behavior: contain; background: var(--base); padding: 12px 16px 16px; }
.log { display: flex; flex-direction: column; gap: 4px; margin: 0; padding: 0; list-style: none; }
.day { align-self: center; margin: 12px 0 4px; font-size: 12px; color: var(--dim); }
.msg { max-inline-size: 84%; align-self: flex-start; align-items: flex-start; display: flex; flex-direction: column; gap: 4px; margin-block-start: 6px; }
.run + .msg { margin-block-start: 0; }
.msg.mine { align-self: flex-end; align-items: flex-end; }
.bub { padding: 8px 12px; border-radius: 12px; background: var(--raised); border: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
.mine .bub { background: var(--fill); color: var(--on); border-color: transparent; }
.bub a { color: inherit; text-decoration: underline; text-underline-offset: 2px; }
.bub code { font-family: ui-monospace, "SF Mono", monospace; font-size: .93em; }
.gone .bub { background: none; border-style: dashed; border-color: var(--line); color: var(--dim); }
.meta { font-size: 12px; color: var(--dim); font-variant-numeric: tabular-nums; display: flex; gap: 6px; align-items: center; }
.meta.bad { color: var(--bad); flex-direction: column; align-items: flex-end; gap: 0; text-align: end; }
.meta button { text-decoration: underline; min-block-size: 28px; }
.pic { display: block; border-radius: 10px; overflow: hidden; border: 1px solid var(--line); background: var(--raised); }
.pic img { display: block; max-inline-size: 100%; block-size: auto; max-block-size: 260px; }
.doc { display: flex; gap: 10px; align-items: center; padding: 8px 12px; border-radius: 10px; border: 1px solid var(--line); background: var(--raised); color: var(--text); text-decoration: none; max-inline-size: 100%; }
.doc:hover { border-color: var(--edge); }
.doc > svg { flex: none; color: var(--dim); }
.doc span { min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.doc small { color: var(--dim); font-size: 12px; flex: none; }
.opts { display: flex; flex-wrap: wrap; gap: 8px; margin-block-start: 2px; }
.opts button { padding: 7px 14px; min-block-size: 36px; border-radius: 18px; border: 1px solid var(--edge); background: var(--raised); }
.opts button:hover { background: var(--hover); }
.types { display: flex; gap: 4px; padding: 10px 0 0 4px; min-block-size: 22px; }
.types i { inline-size: 6px; block-size: 6px; border-radius: 50%; background: var(--dim); animation: dot 1.2s infinite; }
.types i:nth-child(2) { animation-delay: .15s; } .types i:nth-child(3) { animation-delay: .3s; }
@keyframes dot { 0%, 60%, 100% { opacity: .3; } 30% { opacity: 1; } }
.note { margin: 0; padding: 8px 16px; font-size: 13px; color: var(--dim); border-block-start: 1px solid var(--line); }
.note.bad { color: var(--bad); background: var(--bad-soft); }
.note a { color: var(--text); }
.about { display: flex; flex-direction: column; gap: 8px; padding: 12px 16px 4px; border-block-start: 1px solid var(--line); font-size: 13px; color: var(--dim); }
.about input, textarea { border: 1px solid var(--edge); border-radius: 8px; background: var(--raised); padding: 8px 10px; inline-size: 100%; color: var(--text); font-size: 15px; }
.about label { display: block; }
form { display: flex; align-items: flex-end; gap: 8px; padding: 10px 12px 10px 8px; border-block-start: 1px solid var(--line); }
.about + .note, .about + form, .note.calm + form { border-block-start: 0; }
.note.calm { border-block-start: 0; padding-block: 8px 0; }
.about ~ .note.calm { padding-block-start: 4px; }
textarea { flex: 1; resize: none; max-block-size: 140px; min-block-size: 40px; field-sizing: content; line-height: 1.45; }
:is(input, textarea):focus-visible { outline-offset: -1px; border-color: transparent; }
::placeholder { color: var(--dim); opacity: 1; }
.go { background: var(--fill); color: var(--on); }
.go:hover { color: var(--on); background: var(--fill); opacity: .92; }
.sr { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.menu { border-block-end: 1px solid var(--line); padding: 12px 16px; font-size: 13px; display: flex; flex-direction: column; gap: 10px; align-items: flex-start; }
.menu p { margin: 0; }
.menu button { border: 1px solid var(--edge); border-radius: 8px; padding: 7px 12px; min-block-size: 36px; }
.menu div { display: flex; gap: 8px; flex-wrap: wrap; }
@media (pointer: coarse) { .sq { inline-size: 44px; block-size: 44px; } .about input, textarea { font-size: 16px; min-block-size: 44px; } }
@media (max-width: 479px) {
  .chat.open:not(.page) { inset: 0; }
  .chat.open .launch { display: none; }
  .panel { inline-size: 100%; block-size: 100dvh; margin: 0; border-radius: 0; padding-block-end: env(safe-area-inset-bottom); }
}
.page { position: static; display: block; block-size: 100%; }
.page .launch { display: none; }
.page .panel { inline-size: 100%; block-size: 100%; margin: 0; border-radius: inherit; box-shadow: none; }
@media (prefers-reduced-motion: no-preference) { .chat:not(.page) .panel { animation: up .18s ease-out; } @keyframes up { from { opacity: 0; translate: 0 4px; } } }
@media (prefers-reduced-motion: reduce) { .types i { animation: none; opacity: .7; } }
@media (forced-colors: active) { .launch, .go, .bub, .panel { border: 1px solid ButtonText; } }
`;
const ICONS = {
  chat: "M3 4.5h14v10H9.5L6 17.5v-3H3z",
  close: "M5 5l10 10M15 5L5 15",
  down: "M5 8l5 5 5-5",
  send: "M3 10l14-6-4 13-3.5-5.5zM9.5 11.5L17 4",
  clip: "M14 7l-5.5 5.5a1.5 1.5 0 002.1 2.1L16 9.2a3.2 3.2 0 00-4.5-4.5L6 10.2a4.9 4.9 0 007 7",
  doc: "M5.5 3h6l3 3v11h-9zM11.5 3v3h3",
  more: "M5 10h.01M10 10h.01M15 10h.01",
};
const STYLES = { bold: "strong", italic: "em", underline: "u", strike: "s", code: "code", link: "a" };
const WAITS = [1, 2, 4, 8, 15, 30]; // seconds between tries
const SILENCE = 40_000; // the hub beats every 15 s
const PATIENCE = 4_000; // a stream that is let through beats at once
const TYPING_SHOWN = 6_000;
const TYPING_SAID = 4_000;
const SAFE = /^(https?:|mailto:|tel:)/i;

const openChat = (config) => {
  const base = new URL(`${config.key}/`, import.meta.url).href.replace(/\/$/, "");
  const wish = (document.documentElement.lang || navigator.language || "").slice(0, 2).toLowerCase();
  const lang = config.words[wish] ? wish : "de";
  const words = config.words[lang];
  const say = (key, values = {}) => words[key].replace(/{(\w+)}/g, (_, name) => values[name]);

  // --- what is kept: nothing before the visitor writes -----------------------------------------------------------------------
  const place = `hub-chat:${config.key}`;
  const read = () => {
    try {
      return JSON.parse(localStorage.getItem(place)) || {};
    } catch {
      return {}; // storage is forbidden, or holds something else
    }
  };
  let { token = "", waiting = [] } = read();
  const keep = () => {
    try {
      if (!token && !waiting.length) localStorage.removeItem(place);
      else localStorage.setItem(place, JSON.stringify({ token, waiting: waiting.filter((one) => !one.file) }));
    } catch {
      // then it lasts as long as this page
    }
  };

  // --- the panel ---------------------------------------------------------------------------------------------------------------
  const el = (tag, props = {}, ...inner) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name in node && name !== "role") node[name] = value;
      else node.setAttribute(name, value);
    }
    node.append(...inner);
    return node;
  };
  const icon = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 20 20");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(svg.namespaceURI, "path");
    path.setAttribute("d", ICONS[name]);
    if (name === "more") path.setAttribute("stroke-width", "2.4");
    svg.append(path);
    return svg;
  };
  const square = (name, label, act) => el("button", { type: "button", className: "sq", ariaLabel: label, title: label, onclick: act }, icon(name));

  const home = document.querySelector("[data-hub-chat]");
  const host = el("div");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];

  const count = el("span", { className: "badge", hidden: true });
  const launch = el("button", { type: "button", className: "launch", onclick: () => toggle() }, icon("chat"), icon("down"), count);
  launch.setAttribute("aria-expanded", "false");
  const log = el("ol", { className: "log" });
  const types = el("div", { className: "types", hidden: true }, el("i"), el("i"), el("i"));
  const scroll = el("div", { className: "scroll", tabIndex: 0, role: "log", ariaLabel: say("messages") }, log, types);
  const told = el("span", { className: "sr", role: "status" });
  const trouble = el("p", { className: "note bad", role: "alert", hidden: true });
  const text = el("textarea", { rows: 1, maxLength: config.longest, placeholder: say("write"), ariaLabel: say("write") });
  const pick = el("input", { type: "file", multiple: true, hidden: true, tabIndex: -1, onchange: () => attach(pick.files) });
  const form = el(
    "form",
    {},
    square("clip", say("attach"), () => pick.click()),
    pick,
    text,
    el("button", { type: "submit", className: "sq go", ariaLabel: say("send"), title: say("send") }, icon("send")),
  );
  const person = { name: el("input", { autocomplete: "name", maxLength: 80 }), email: el("input", { type: "email", autocomplete: "email", maxLength: 200 }) };
  const about = el("div", { className: "about" }, el("label", {}, say("name"), person.name));
  if (config.asks === "name_email") about.append(el("label", {}, say("email"), person.email));
  const privacy = el(
    "p",
    { className: "note calm" },
    `${config.privacy.text || say("privacy")} `,
    el("a", { href: config.privacy.url, target: "_blank", rel: "noopener" }, say("privacy_link")),
  );
  const more = square("more", say("more"), () => openMenu(menu.hidden));
  const menu = el(
    "div",
    { className: "menu", hidden: true },
    el("p", {}, say("end_text")),
    el("div", {}, el("button", { type: "button", onclick: () => forget() }, say("end")), el("button", { type: "button", onclick: () => openMenu(false) }, say("cancel"))),
  );
  const panel = el(
    "section",
    { className: "panel", id: "panel", role: home ? "region" : "dialog", ariaLabel: config.title, hidden: !home },
    el("header", {}, el("h2", {}, config.title), more, ...(home ? [] : [square("close", say("close"), () => toggle(false))])),
    menu, scroll, told, trouble, ...(config.asks === "nothing" ? [] : [about]), privacy, form,
  );
  launch.setAttribute("aria-controls", "panel");
  const chat = el("div", { className: `chat ${config.position}${home ? " page" : ""}`, lang }, panel, launch);
  for (const [name, value] of Object.entries({ light: config.light[0], "on-light": config.light[1], dark: config.dark[0], "on-dark": config.dark[1] })) chat.style.setProperty(`--${name}`, value);
  root.append(chat);

  let isOpen = Boolean(home);
  const isSeen = () => isOpen && document.visibilityState === "visible";
  const toggle = (open = !isOpen) => {
    isOpen = open;
    panel.hidden = !open;
    chat.classList.toggle("open", open);
    launch.setAttribute("aria-expanded", String(open));
    panel.setAttribute("aria-modal", String(open && matchMedia("(max-width: 479px)").matches));
    if (open) {
      draw();
      scroll.scrollTop = scroll.scrollHeight;
      text.focus();
    } else launch.focus();
    showCount();
    mark();
  };
  const openMenu = (open) => {
    menu.hidden = !open;
    more.setAttribute("aria-expanded", String(open));
    (open ? menu.querySelector("button") : more).focus();
  };
  chat.addEventListener("keydown", (event) => {
    if (!isOpen || event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      if (!menu.hidden) openMenu(false);
      else if (!home) toggle(false);
    } else if (event.key === "Tab" && !home) {
      const stops = [...panel.querySelectorAll("a[href], button, input:not([hidden]), textarea, [tabindex='0']")].filter((one) => one.offsetParent);
      const edge = event.shiftKey ? stops[0] : stops.at(-1);
      if (root.activeElement !== edge) return;
      event.preventDefault();
      (event.shiftKey ? stops.at(-1) : stops[0]).focus();
    }
  });

  // --- what is shown -------------------------------------------------------------------------------------------------------------
  const box = new Map(); // messages of the hub by id, in the order of their time
  const drawn = new Map();
  const looks = (one) => JSON.stringify(one, (key, value) => (key === "url" ? undefined : value));
  const clock = (at) => new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit" }).format(at);
  const dayOf = (at) => new Intl.DateTimeFormat(lang, { weekday: "long", day: "numeric", month: "long" }).format(at);
  const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toLocaleString(lang, { maximumFractionDigits: 1 })} MB`);

  const link = (href, ...inner) => el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...inner);
  const linked = (plain) => plain.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])/).map((part, place) => (place % 2 ? link(part, part) : part));
  // Spans count characters, and of two that overlap one contains the other and stands first.
  const formatted = (letters, spans, from = 0, to = letters.length) => {
    const made = [];
    let at = from;
    for (let place = 0; place < spans.length; place++) {
      const [start, end, style, url] = spans[place];
      if (start < at || end > to) continue;
      made.push(...linked(letters.slice(at, start).join("")));
      const inner = style === "link" ? [letters.slice(start, end).join("")] : formatted(letters, spans.slice(place + 1), start, end);
      made.push(style === "link" ? (SAFE.test(url) ? link(url, ...inner) : inner[0]) : el(STYLES[style] || "span", {}, ...inner));
      at = end;
    }
    made.push(...linked(letters.slice(at, to).join("")));
    return made;
  };
  const fileNode = (file) => {
    const href = file.url && new URL(file.url, base).href;
    if (file.picture) {
      const [width, height] = file.at;
      const image = el("img", { src: `${href}?small=true`, alt: file.name, ...(width ? { width, height } : {}) });
      image.addEventListener("load", () => isAtEnd && follow());
      return el("a", { className: "pic", href, target: "_blank", rel: "noopener" }, image);
    }
    const inner = [icon("doc"), el("span", {}, file.name), el("small", {}, file.size ? size(file.size) : "")];
    return href ? el("a", { className: "doc", href, target: "_blank", rel: "noopener", download: file.name }, ...inner) : el("div", { className: "doc" }, ...inner);
  };
  // `next` is the message below it: what belongs together has one line of time and state.
  const belongs = (one, next) => next && one.mine === next.mine && one.at && clock(one.at) === clock(next.at) && !next.failed && (!one.mine || one.state === next.state);
  const messageNode = (one, next) => {
    const isRun = belongs(one, next);
    const node = el("li", { className: `msg${one.mine ? " mine" : ""}${one.deleted ? " gone" : ""}${isRun ? " run" : ""}` });
    node.append(el("span", { className: "sr" }, one.mine ? say("you") : config.title));
    if (one.deleted) node.append(el("div", { className: "bub" }, say("deleted")));
    node.append(...(one.files || []).map(fileNode));
    if (one.text) node.append(el("div", { className: "bub", dir: "auto" }, ...formatted([...one.text], one.spans || [])));
    if (one.options && !next) {
      node.append(el("div", { className: "opts" }, ...one.options.map(([option, label]) => el("button", { type: "button", onclick: () => send({ option, label }) }, label))));
    }
    if (one.failed) {
      node.append(el("div", { className: "meta bad" }, el("span", {}, one.failed), el("button", { type: "button", onclick: () => discard(one) }, say("discard"))));
    } else if (one.at && !isRun) {
      const state = one.mine ? say(one.state === "read" ? "read" : one.state === "sent" ? "sent" : "sending") : "";
      node.append(el("div", { className: "meta" }, [clock(one.at), one.edited && say("edited"), state].filter(Boolean).join(" · ")));
    }
    return node;
  };
  const put = (key, look, make) => {
    const known = drawn.get(key);
    if (known && known.look === look) return known.node;
    const node = make();
    if (known && known.node.isConnected) known.node.replaceWith(node);
    drawn.set(key, { look, node });
    return node;
  };
  let isAtEnd = true;
  const follow = () => (scroll.scrollTop = scroll.scrollHeight);
  scroll.addEventListener("scroll", () => (isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60));
  const draw = () => {
    const greeting = { id: "greeting", text: config.greeting || say("greeting") };
    const own = waiting.filter((one) => !box.has(one.id)).map((one) => ({ ...one, mine: true, text: one.label || one.text, state: "sending", files: one.file && [one.file] }));
    const all = [greeting, ...[...box.values()].sort((one, other) => one.at - other.at), ...own];
    const nodes = [];
    let day = "";
    all.forEach((one, place) => {
      const today = one.at ? dayOf(one.at) : day;
      if (today !== day && one.at) nodes.push(put(`day ${today}`, today, () => el("li", { className: "day" }, today)));
      day = today;
      const next = all[place + 1];
      nodes.push(put(one.id, looks([one, !next, belongs(one, next)]), () => messageNode(one, next)));
    });
    nodes.forEach((node, place) => log.children[place] !== node && log.insertBefore(node, log.children[place] || null));
    while (log.children.length > nodes.length) log.lastChild.remove();
    const isNew = !token && !waiting.length;
    about.hidden = !isNew;
    privacy.hidden = !isNew;
    more.hidden = !token;
    if (isAtEnd) follow();
  };
  const unread = () => [...box.values()].filter((one) => !one.mine && !one.deleted && one.state !== "read" && !marked.read.has(one.id));
  const showCount = () => {
    const number = isOpen ? 0 : unread().length;
    count.hidden = !number;
    count.textContent = number > 9 ? "9+" : number;
    const label = number ? say(number === 1 ? "open_one" : "open_many", { count: number }) : say("open");
    launch.ariaLabel = isOpen ? say("close") : label;
    launch.title = launch.ariaLabel;
  };
  const complain = (words_) => {
    trouble.hidden = !words_;
    trouble.textContent = words_;
  };

  // --- the way to the hub --------------------------------------------------------------------------------------------------------
  const ask = async (act, { body, form: data, signal } = {}) => {
    const headers = { "accept-language": lang, ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body ? { "content-type": "application/json" } : {}) };
    const method = body || data ? "POST" : "GET";
    const answer = await fetch(`${base}/${act}`, { method, headers, body: data || (body && JSON.stringify(body)), signal, credentials: "omit", cache: "no-store" });
    if (answer.status === 401) lose();
    return answer;
  };
  const lose = () => {
    token = "";
    keep();
    hangUp();
  };
  const pause = (seconds) => new Promise((go) => setTimeout(go, seconds * 1000 * (0.75 + Math.random() / 2)));

  let isFlushing = false;
  const flush = async () => {
    if (isFlushing) return;
    isFlushing = true;
    let tries = 0;
    for (let next; (next = waiting.find((one) => !one.failed && !one.isThere)); ) {
      let answer;
      try {
        answer = token ? await deliver(next) : await begin();
      } catch {
        answer = null; // no connection
      }
      if (answer?.ok) {
        tries = 0;
        complain("");
      } else if (answer?.status === 401) {
        continue; // the hub has forgotten this browser: it begins anew
      } else if (answer && answer.status !== 429 && answer.status < 500) {
        const { text: why } = await answer.json().catch(() => ({}));
        next.failed = why || say("failed");
        draw();
      } else {
        complain(say(answer?.status === 429 ? "slow" : "offline"));
        await pause(Number(answer?.headers.get("retry-after")) || WAITS[Math.min(tries++, WAITS.length - 1)]);
      }
    }
    isFlushing = false;
  };
  const begin = async () => {
    const answer = await ask("start", { body: { name: person.name.value.trim(), email: person.email.checkValidity() ? person.email.value.trim() : "", language: lang } });
    if (answer.status !== 201) return answer;
    token = (await answer.json()).token;
    keep();
    listen();
    return answer;
  };
  const deliver = async (one) => {
    let answer;
    if (one.raw) {
      const data = new FormData();
      data.append("file", one.raw, one.file.name);
      answer = await ask(`files?id=${one.id}`, { form: data });
    } else if (one.option) answer = await ask("presses", { body: { id: one.id, option: one.option, label: one.label } });
    else {
      const page = /^https?:/.test(location.href) ? { page: { url: location.href.slice(0, 2000), title: document.title.slice(0, 300) } } : {};
      answer = await ask("messages", { body: { id: one.id, text: one.text, ...(box.size ? {} : page) } });
    }
    if (answer.ok) {
      one.isThere = true; // it leaves the queue when the box shows it
      keep();
    }
    return answer;
  };
  const send = (what) => {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    waiting.push({ id, at: Date.now(), ...what });
    keep();
    isAtEnd = true;
    draw();
    flush();
  };
  const discard = (one) => {
    waiting = waiting.filter((other) => other.id !== one.id);
    keep();
    draw();
    text.focus();
  };
  const attach = (files) => {
    for (const raw of files) {
      if (raw.size > config.largest) complain(say("large", { name: raw.name, limit: config.largest / 1e6 }));
      else send({ raw, file: { name: raw.name, size: raw.size } });
    }
    pick.value = "";
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const said = text.value.trim();
    text.focus();
    if (!said) return;
    text.value = "";
    typed = 0;
    send({ text: said });
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    form.requestSubmit();
  });
  let typed = 0;
  text.addEventListener("input", () => {
    if (!token || !text.value || Date.now() - typed < TYPING_SAID) return;
    typed = Date.now();
    ask("typing", { body: { is_typing: true } }).catch(() => {});
  });
  chat.addEventListener("paste", (event) => event.clipboardData.files.length && (event.preventDefault(), attach(event.clipboardData.files)));
  chat.addEventListener("dragover", (event) => event.preventDefault());
  chat.addEventListener("drop", (event) => {
    event.preventDefault();
    attach(event.dataTransfer.files);
  });
  const forget = async () => {
    await ask("end", { body: {} }).catch(() => {});
    lose();
    waiting = [];
    box.clear();
    drawn.clear();
    keep();
    menu.hidden = true;
    complain("");
    draw();
    text.focus();
  };

  // --- what comes ------------------------------------------------------------------------------------------------------------------
  const marked = { delivered: new Set(), read: new Set() };
  const mark = async () => {
    if (!token) return;
    const shown = [...box.values()].filter((one) => !one.mine && !one.deleted);
    for (const status of ["delivered", "read"]) {
      const due = shown.filter((one) => (status === "read" ? isSeen() && one.state !== "read" : one.state === "sent") && !marked[status].has(one.id)).slice(0, 100);
      if (!due.length || (status === "delivered" && isSeen())) continue;
      due.forEach((one) => marked[status].add(one.id));
      const answer = await ask("marks", { body: { status, messages: due.map((one) => one.id) } }).catch(() => null);
      if (!answer?.ok) due.forEach((one) => marked[status].delete(one.id));
    }
    showCount();
  };
  let version = "";
  const take = (news) => {
    version = news.version;
    let isNew = false;
    for (const one of news.messages) {
      isNew ||= !one.mine && !box.has(one.id);
      box.set(one.id, one);
    }
    waiting = waiting.filter((one) => !box.has(one.id));
    keep();
    if (isNew) stopTyping();
    draw();
    showCount();
    mark();
  };
  let typing = 0;
  const stopTyping = () => {
    clearTimeout(typing);
    types.hidden = true;
    told.textContent = "";
  };
  const showTyping = () => {
    clearTimeout(typing);
    types.hidden = false;
    told.textContent = say("types");
    if (isAtEnd) follow();
    typing = setTimeout(stopTyping, TYPING_SHOWN);
  };

  let line = null; // the connection that is open
  const hangUp = () => {
    line?.abort();
    line = null;
  };
  const listen = async () => {
    if (line || !token || document.visibilityState !== "visible") return;
    const mine = (line = new AbortController());
    let tries = 0;
    let isHeld = false; // something on the way holds the stream back
    while (line === mine && token) {
      try {
        if (isHeld) {
          const answer = await ask(`box?known=${version}`, { signal: mine.signal });
          if (!answer.ok) throw new Error(String(answer.status));
          take(await answer.json());
          tries = 0;
        } else isHeld = await stream(mine);
        if (!isHeld) tries = 0;
      } catch {
        if (line !== mine) return;
      }
      if (line === mine && !isHeld) await pause(WAITS[Math.min(tries++, WAITS.length - 1)]);
      else if (isHeld) await pause(0.5);
    }
  };
  // Until the stream ends; true when nothing came through it.
  const stream = async (mine) => {
    const stop = new AbortController();
    const end = () => stop.abort();
    mine.signal.addEventListener("abort", end);
    let beats = false;
    let watch = setTimeout(end, PATIENCE);
    try {
      const answer = await ask("stream", { signal: stop.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (let part; !(part = await reader.read()).done; ) {
        beats = true;
        clearTimeout(watch);
        watch = setTimeout(end, SILENCE);
        const events = (rest + part.value).split("\n\n");
        rest = events.pop();
        events.forEach(hear);
      }
    } catch (error) {
      if (!stop.signal.aborted || mine.signal.aborted) throw error;
    } finally {
      clearTimeout(watch);
      mine.signal.removeEventListener("abort", end);
    }
    return !beats;
  };
  const hear = (event) => {
    const kind = /^event: (\w+)/m.exec(event)?.[1];
    if (kind === "box") take(JSON.parse(/^data: (.*)$/m.exec(event)[1]));
    else if (kind === "typing") showTyping();
    if (kind) complain("");
  };
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return hangUp();
    listen();
    mark();
  });
  addEventListener("online", () => {
    hangUp();
    listen();
    flush();
  });
  addEventListener("storage", (event) => {
    if (event.key !== place) return;
    const other = read(); // another tab has begun, or ended, the conversation
    if (other.token === token) return;
    token = other.token || "";
    hangUp();
    if (!token) box.clear();
    draw();
    listen();
  });

  (home || document.body).append(host);
  if (home) {
    host.style.cssText = "display: block; block-size: 100%";
    chat.classList.add("open");
  }
  draw();
  showCount();
  listen();
  flush();
};
