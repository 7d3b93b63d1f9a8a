// Reply, change and note: three forms with three addresses, one shown. What was typed belongs to the person: no change of state takes
// it, it is kept as a draft (drafts.js), and a reply leaves the field only together with its key, so a double click sends once.

import { place } from "./acts.js";
import { Draft } from "./drafts.js";
import { Cards, Choice, Times } from "./frames.js";
import { ask, Offline } from "./http.js";
import { mark } from "./marks.js";
import { morph, parse } from "./morph.js";
import { Place } from "./place.js";
import { Uploads } from "./uploads.js";
import { band, word } from "./words.js";

const TYPING = 4_000; // messengers show it for about 5 seconds
const COUNTING = 400;
const MARKS = { b: "*", i: "_" };

export class Composer {
  #base;
  #thread;
  #changed;
  #mode = "reply";
  #uploads;
  #frames; // what a reply can hold besides its words, by the name of its tool
  #kept = null; // what came back after a failure: {key, body}
  #late = false; // a change of state waits until the field is empty and left
  #typedAt = -TYPING; // when the hub last heard that somebody types
  #sending = Promise.resolve();
  #drafts = {};
  #writing;
  #counts; // the timer until the text is counted
  #ignores = ""; // the colleague beside whom this person writes all the same

  // `changed({conversation, message})` asks for the parts that changed; `writing(kind)` says that the person writes, or rests (null).
  constructor(base, thread, changed, writing) {
    this.#base = base;
    this.#thread = thread;
    this.#changed = changed;
    this.#writing = writing;
    if (!this.#reply) return;
    this.#uploads = new Uploads(base, thread.id, () => this.#root, (text) => this.#warn(text), () => this.#ready());
    const url = () => this.#action("files");
    const rules = () => JSON.parse(this.#root.dataset.media);
    const told = (text) => {
      this.#warn(text);
      this.#ready();
    };
    this.#frames = { choice: new Choice(), times: new Times(), cards: new Cards(url, rules, told) };
    thread.acts.onReply = (piece) => this.#answer(piece);
    thread.acts.onEdit = (piece) => this.#edit(piece);
    new Place(this.#root, (form) => this.#sendPlace(form));
    this.#root.addEventListener("click", (event) => this.#click(event));
    this.#root.addEventListener("keydown", (event) => this.#key(event));
    this.#root.addEventListener("input", ({ target }) => {
      this.#remember();
      if (target.closest(".ask")) this.#frame.draw();
      if (target.matches("#text, #note-text")) this.#writing(target.value.trim() ? this.#mode : null);
      if (target.id !== "text") return;
      this.#type();
      this.#count();
    });
    this.#root.addEventListener("change", ({ target }) => {
      if (target.name === "card_picture") this.#frame.attach(target.closest(".one"), target.files[0]);
      if (target.id === "pick") {
        this.#uploads.add([...target.files]);
        this.#text.focus();
      }
      if (target.name === "card_picture" || target.id === "pick") target.value = "";
    });
    this.#root.addEventListener("paste", (event) => {
      const files = [...event.clipboardData.files];
      if (event.target.id !== "text" || !files.length || !this.#takesFiles) return;
      event.preventDefault();
      this.#uploads.add(files);
    });
    this.#root.addEventListener("focusout", () => setTimeout(() => !this.#busy && this.#late && this.#changed({}), 0));
    this.#root.addEventListener("submit", (event) => {
      event.preventDefault();
      if (event.target.id === "note") this.#saveNote();
      else if (event.target.id === "change") this.#saveChange();
      else if (event.target.id === "reply") this.#send();
    });
    this.#offerEmoji();
    this.#takeDrops();
    this.#keepDrafts();
  }

  get #root() {
    return document.getElementById("composer");
  }
  get #reply() {
    return document.getElementById("reply");
  }
  get #change() {
    return document.getElementById("change");
  }
  get #note() {
    return document.getElementById("note");
  }
  get #text() {
    return document.getElementById("text");
  }
  get #clientKey() {
    return document.getElementById("client-key");
  }
  // The frame that is open, if one is.
  get #frame() {
    return Object.values(this.#frames).find((frame) => frame.isOpen) ?? null;
  }
  get #answering() {
    return document.getElementById("answering");
  }
  get #takesFiles() {
    return this.#mode === "reply" && Boolean(document.getElementById("pick"));
  }
  get #busy() {
    return Boolean(this.#text) && (document.activeElement === this.#text || this.#text.value !== "" || this.#uploads.count > 0 || this.#frame !== null);
  }

  // The hub's present word. While the person writes only the reason changes.
  apply(html, reason, may) {
    if (!this.#reply) return;
    if (this.#kept && this.#thread.holds(this.#kept.key)) this.#arrived();
    if (this.#busy) {
      this.#late = true;
      this.#say(parse(reason), may);
      return;
    }
    this.#late = false;
    const [fresh] = parse(html);
    const drawn = fresh.querySelector("#text");
    if (drawn) this.#drafts.reply?.seen(drawn);
    if (this.#mode !== "reply") fresh.querySelector("#reply").hidden = true;
    morph(this.#root, fresh);
    this.#keepDrafts();
    this.#ready();
  }

  // A colleague writes a reply: the empty field steps back and says who, until they stop or this person writes all the same.
  yieldTo(colleague, since) {
    const soft = document.getElementById("soft");
    if (!soft || !this.#text) return;
    if (!colleague) this.#ignores = "";
    const yields = Boolean(colleague) && colleague.member !== this.#ignores && !this.#busy;
    if (yields) {
      soft.querySelector("b").textContent = word("writesSince", colleague.name).replace("$", since);
      soft.querySelector("[data-mode] span").textContent = word("noteTo", colleague.name.split(" ")[0]);
      soft.dataset.member = colleague.member;
    }
    soft.hidden = !yields;
  }

  // Go into a field, by key or because the conversation was chosen to be answered.
  focus(mode) {
    if (!this.#reply) return;
    const yields = document.getElementById("soft")?.hidden === false;
    if (mode === "reply" && yields) this.#anyway();
    else this.#switch(mode);
  }

  #anyway() {
    const soft = document.getElementById("soft");
    this.#ignores = soft.dataset.member;
    soft.hidden = true;
    this.#text.focus();
  }

  #say(reason, may) {
    document.getElementById("reason").replaceChildren(...reason);
    this.#root.dataset.may = may;
    this.#ready();
  }

  // What went wrong here, in a place of its own: the hub's next word about the gate does not wipe it out.
  #warn(text) {
    document.getElementById("wrong")?.replaceChildren(...(text ? [band(text)] : []));
  }

  // Whether it can be sent: the gate's word, and every file is with the hub.
  #ready() {
    const send = document.getElementById("send");
    if (!send) return;
    const loading = this.#uploads.busy > 0 || Object.values(this.#frames).some((frame) => frame.busy);
    send.disabled = this.#root.dataset.may === "no" || loading;
    const saved = document.getElementById("saved");
    if (loading) saved.textContent = word("uploading");
    else if (saved.textContent === word("uploading")) saved.textContent = "";
  }

  #click(event) {
    const find = (selector) => event.target.closest(selector);
    const button = find("button");
    if (find("[data-mode]")) this.#switch(find("[data-mode]").dataset.mode);
    else if (find("[data-anyway]")) this.#anyway();
    else if (button?.dataset.mark) this.#mark(button.dataset.mark);
    else if (button?.dataset.tool === "attach") document.getElementById("pick").click();
    else if (button?.dataset.tool in this.#frames) this.#open(this.#frames[button.dataset.tool]);
    else if (button?.dataset.drop === "answer") this.#answer(null);
    else if (button?.dataset.drop in this.#frames) this.#close();
    else if (button?.dataset.drop === "change") this.#switch("reply");
    else if (button && "more" in button.dataset) first(this.#frame.add()).focus();
    else if (button && "less" in button.dataset) this.#less(button.closest("[data-rows] > *"));
    else if (button && "picture" in button.dataset) button.closest(".one").querySelector("[type=file]").click();
    else if (button && "unpicture" in button.dataset) this.#frame.detach(button.closest(".one"));
    if (button?.closest(".pop > .menu")) button.closest(".pop").open = false;
  }

  #key(event) {
    const { target, key } = event;
    const writes = target.matches("#text, #change-text");
    if (key === "Enter" && (event.ctrlKey || event.metaKey) && writes) {
      event.preventDefault();
      target.form.requestSubmit();
    } else if (writes && (event.ctrlKey || event.metaKey) && !event.altKey && this.#root.querySelector(`[data-mark="${MARKS[key]}"]`)) {
      event.preventDefault();
      this.#mark(MARKS[key]);
    } else if (key === "Escape" && target.closest("#change")) {
      event.stopPropagation();
      this.#switch("reply");
    } else if (key === "Escape" && target.id === "text" && !this.#answering.hidden) {
      event.stopPropagation();
      this.#answer(null);
    } else if (key === "Enter" && target.matches(".ask input")) {
      event.preventDefault();
      if (target.value && target.matches("[name=options], [name=slot]")) first(this.#frame.add(target.parentElement)).focus();
    } else if (key.startsWith("Arrow") && target.matches("[role=tab]")) {
      this.#switch(this.#mode === "reply" ? "note" : "reply", true);
    }
  }

  #switch(mode, byKey = false) {
    this.#mode = mode;
    const forms = { reply: this.#reply, change: this.#change, note: this.#note };
    for (const [name, form] of Object.entries(forms)) if (form) form.hidden = name !== mode;
    (byKey ? forms[mode].querySelector("[aria-selected=true]") : forms[mode].querySelector("textarea"))?.focus();
  }

  #type() {
    if (!this.#text.value || performance.now() - this.#typedAt < TYPING) return;
    this.#typedAt = performance.now();
    ask(this.#action("typing"), new URLSearchParams()).catch(() => {}); // lossy by nature
  }

  // What the text costs, where it is charged by the piece: once nobody types for a moment.
  #count() {
    const node = document.getElementById("pieces");
    if (!node) return;
    clearTimeout(this.#counts);
    const { value } = this.#text;
    this.#counts = setTimeout(async () => {
      try {
        const { text } = value ? await ask(this.#action("pieces"), new URLSearchParams({ text: value })) : { text: "" };
        if (this.#text?.value === value) node.textContent = text;
      } catch {
        node.textContent = ""; // what it costs is said again with the next letter
      }
    }, COUNTING);
  }

  #mark(sign) {
    const field = this.#mode === "change" ? this.#change.elements.text : this.#text;
    mark(field, sign);
    this.#remember();
  }

  // Answer a certain message, or none any more.
  #answer(piece) {
    if (piece) this.#switch("reply");
    const row = this.#answering;
    if (!row) return;
    row.hidden = !piece;
    row.querySelector("input").value = piece?.id ?? "";
    if (piece) {
      const who = piece.matches(".out") ? word("we") : document.querySelector("#head h1").textContent;
      row.querySelector("b").textContent = word("answering", who);
      row.querySelector(".cut").textContent = (piece.querySelector(".bub .txt") ?? piece.querySelector(".bub")).innerText.trim();
    }
    this.#text.focus();
  }

  #edit(piece) {
    this.#switch("change");
    const field = this.#change.elements.text;
    this.#change.action = `${this.#base}/messages/${piece.id}/edit`;
    this.#change.querySelector(".banner")?.remove();
    field.value = piece.dataset.typed;
    field.setSelectionRange(field.value.length, field.value.length);
  }

  async #saveChange() {
    const field = this.#change.elements.text;
    const button = this.#change.querySelector("[type=submit]");
    if (!field.value.trim() || button.disabled) return;
    button.disabled = true;
    try {
      this.#changed(await ask(this.#change.action, new URLSearchParams({ text: field.value, view: this.#change.elements.view.value })));
      this.#switch("reply");
    } catch (error) {
      this.#change.querySelector(".banner")?.remove();
      field.before(band(error instanceof Offline ? word("unsaved") : error.message));
    }
    button.disabled = false;
  }

  // One frame at a time, and none beside files.
  #open(frame) {
    if (this.#uploads.count) {
      this.#warn(word("filesAlone"));
      return;
    }
    if (this.#frame && this.#frame !== frame) this.#frame.close();
    frame.open();
    (this.#text.value || frame === this.#frames.cards ? first(frame.node.querySelector("[data-rows]")) : this.#text).focus();
  }

  #close() {
    this.#frame?.close();
    this.#text.focus();
  }

  // A row of the frame goes; the keyboard stays in the frame, or goes back to the text with the last one.
  #less(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    this.#frame.drop(row);
    (next ? first(next) : this.#text).focus();
  }

  // What is composed: as it is sent, and as it can be put back.
  #take() {
    const frame = this.#frame;
    const answer = this.#answering.querySelector("input").value;
    const body = new URLSearchParams({ text: this.#text.value.trim(), view: this.#reply.elements.view.value, reply_to: answer });
    for (const id of this.#uploads.ids) body.append("files", id);
    frame?.write(body);
    return { body, frame, answer };
  }

  #send() {
    if (!this.#text) return;
    const sent = this.#take();
    const { body, frame } = sent;
    const text = body.get("text");
    if (document.getElementById("send").disabled) return;
    const wrong = frame?.check(text);
    if (wrong) {
      this.#warn(wrong);
      return;
    }
    if (!text && !this.#uploads.count && frame !== this.#frames.cards) return;
    if (this.#kept && this.#kept.body !== String(body)) this.#clientKey.value = newKey();
    this.#kept = null;
    sent.key = this.#clientKey.value;
    this.#clientKey.value = newKey();
    const shown = [...this.#uploads.names, text, ...(frame?.words ?? [])].filter(Boolean).join("\n");
    sent.files = this.#uploads.take();
    this.#text.value = "";
    this.#typedAt = -TYPING;
    this.#count();
    this.#writing(null);
    this.#warn("");
    sent.rows = frame?.lift();
    this.#answer(null);
    this.#thread.pend(sent.key, shown);
    const draft = this.#drafts.reply;
    const saved = draft.hold();
    this.#sending = this.#sending.then(() => saved).then(() => this.#post(sent, draft)); // in the order of writing
  }

  async #post(sent, draft) {
    const form = new URLSearchParams([...sent.body, ["client_key", sent.key]]);
    try {
      const answer = await ask(this.#action("messages"), form);
      draft.release(true);
      this.#changed(answer);
    } catch (error) {
      draft.release(false);
      this.#thread.unpend(sent.key);
      if (!draft.field.isConnected) {
        draft.restore(sent.body.get("text")); // another conversation has taken the place
        return;
      }
      this.#giveBack(sent);
      if (error.body?.reason) {
        this.#say(parse(error.body.reason), "no");
        this.#changed({}); // head and contact say it too
      } else this.#warn(error instanceof Offline ? word("away") : error.message);
    }
  }

  #giveBack({ body, key, files, frame, rows, answer }) {
    const text = body.get("text");
    if (this.#text.value) this.#text.value = `${text}\n\n${this.#text.value}`;
    else {
      this.#text.value = text;
      this.#clientKey.value = key;
      this.#kept = { key, body: String(body) };
    }
    this.#uploads.put(files);
    if (frame && !this.#frame) frame.put(rows);
    const piece = answer && document.getElementById(answer);
    if (piece) this.#answer(piece);
    this.#remember();
  }

  // What came back had been stored after all: only its answer was lost.
  #arrived() {
    if (String(this.#take().body) === this.#kept.body) {
      this.#text.value = "";
      this.#uploads.take();
      this.#frame?.close();
      this.#answer(null);
    }
    this.#clientKey.value = newKey();
    this.#kept = null;
    this.#remember();
    this.#warn("");
  }

  // Throws what went wrong: the form of the place shows it.
  async #sendPlace(form) {
    form.append("client_key", newKey());
    this.#changed(await ask(this.#action("messages"), form));
    this.#thread.toEnd();
  }

  async #saveNote() {
    const field = this.#note.elements.text;
    const button = this.#note.querySelector("[type=submit]");
    if (!field.value.trim() || button.disabled) return;
    button.disabled = true;
    const draft = this.#drafts.note;
    await draft.hold();
    try {
      const answer = await ask(this.#note.action, new URLSearchParams({ text: field.value, view: this.#note.elements.view.value }));
      field.value = "";
      this.#writing(null);
      draft.release(true);
      this.#changed(answer);
      this.#switch("reply");
    } catch (error) {
      draft.release(false);
      this.#note.querySelector("[data-note-error]")?.remove();
      const told = band(error instanceof Offline ? word("unsaved") : error.message);
      told.dataset.noteError = "";
      field.before(told);
    }
    button.disabled = false;
  }

  #offerEmoji() {
    const menu = document.getElementById("emoji");
    menu.addEventListener("toggle", (event) => {
      const button = this.#root.querySelector("[data-tool=emoji]");
      if (event.newState !== "open" || !button) return;
      const box = button.getBoundingClientRect();
      place(menu, { left: box.left, right: box.right, top: box.top, bottom: innerHeight });
      menu.querySelector("button").focus();
    });
    menu.addEventListener("click", (event) => {
      const { emoji } = event.target.closest("button")?.dataset ?? {};
      if (!emoji) return;
      menu.hidePopover();
      this.#text.focus();
      this.#text.setRangeText(emoji, this.#text.selectionStart, this.#text.selectionEnd, "end");
      this.#remember();
      this.#type();
    });
  }

  #takeDrops() {
    const area = document.querySelector("[data-thread]");
    const sign = area.querySelector("[data-drop-here]");
    const files = (event) => this.#takesFiles && event.dataTransfer.types.includes("Files");
    area.addEventListener("dragover", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      sign.hidden = false;
    });
    area.addEventListener("dragleave", (event) => {
      if (!area.contains(event.relatedTarget)) sign.hidden = true;
    });
    area.addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      sign.hidden = true;
      this.#uploads.add([...event.dataTransfer.files]);
      this.#text.focus();
    });
  }

  #remember() {
    for (const draft of Object.values(this.#drafts)) draft.typed();
  }

  // Drafts of the fields that are there.
  #keepDrafts() {
    for (const [kind, field] of [["reply", this.#text], ["note", this.#note.elements.text]]) {
      if (!field || this.#drafts[kind]?.field === field) continue;
      this.#drafts[kind] = new Draft(this.#action("draft"), kind, field, (state, kept) => this.#told(kind, state, kept));
    }
  }

  // The tab is left, another conversation comes, or the connection is back; whether any draft is another than before.
  async save() {
    const drafts = Object.values(this.#drafts);
    await Promise.all(drafts.map((draft) => draft.save()));
    return drafts.filter((draft) => draft.news()).length > 0;
  }

  #told(kind, state, kept) {
    const draft = this.#drafts[kind];
    if (!draft?.field.isConnected) return; // another conversation has taken the place
    const { form } = draft.field;
    if (state === "moved") this.#offer(draft, form, kept);
    else form.querySelector("[data-saved]").textContent = { saved: word("draftSaved"), waits: word("draftWaits") }[state] ?? "";
  }

  // Another page of this person was faster: what it kept, or what stands here?
  #offer(draft, form, kept) {
    form.querySelector("[data-moved]")?.remove();
    const band = document.getElementById("moved").content.firstElementChild.cloneNode(true);
    band.dataset.moved = "";
    band.querySelector("b").textContent = word(kept.version ? "draftMoved" : "draftGone");
    band.querySelector("[dir]").textContent = kept.text;
    band.querySelector("[data-take]").addEventListener("click", () => this.#decide(band, draft, () => draft.take(kept)));
    band.querySelector("[data-mine]").addEventListener("click", () => this.#decide(band, draft, () => draft.keepMine(kept)));
    draft.field.before(band);
  }

  #decide(band, draft, decision) {
    band.remove();
    decision();
    draft.field.focus();
  }

  #action(what) {
    return `${this.#base}/conversations/${this.#thread.id}/${what}`;
  }
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Where a row begins to be filled in.
function first(row) {
  return row.querySelector("input, textarea");
}
