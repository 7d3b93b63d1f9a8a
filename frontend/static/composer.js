// Reply and note: two forms with two addresses, one shown. What was typed belongs to the person: no change of state takes it, it is
// kept as a draft (drafts.js), and a reply leaves the field only together with its key, so a double click sends once.

import { Draft } from "./drafts.js";
import { ask, Offline } from "./http.js";
import { morph, parse } from "./morph.js";
import { band, word } from "./words.js";

export class Composer {
  #base;
  #thread;
  #changed;
  #mode = "reply";
  #kept = null; // what came back after a failure: {key, text}
  #late = false; // a change of state waits until the field is empty and left
  #sending = Promise.resolve();
  #drafts = {};
  #writing;
  #ignores = ""; // the colleague beside whom this person writes all the same

  // `changed({conversation, message})` asks for the parts that changed; `writing(kind)` says that the person writes, or rests (null).
  constructor(base, thread, changed, writing) {
    this.#base = base;
    this.#thread = thread;
    this.#changed = changed;
    this.#writing = writing;
    if (!this.#reply) return;
    this.#root.addEventListener("click", (event) => {
      const tab = event.target.closest("[data-mode]");
      if (tab) this.#switch(tab.dataset.mode);
      else if (event.target.closest("[data-anyway]")) this.#anyway();
    });
    this.#root.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.id === "text") {
        event.preventDefault();
        this.#reply.requestSubmit();
      } else if (event.key.startsWith("Arrow") && event.target.matches("[role=tab]")) {
        this.#switch(this.#mode === "reply" ? "note" : "reply", true);
      }
    });
    this.#root.addEventListener("input", ({ target }) => {
      this.#remember();
      this.#writing(target.value.trim() ? this.#mode : null);
    });
    this.#root.addEventListener("focusout", () => setTimeout(() => !this.#busy && this.#late && this.#changed({}), 0));
    this.#root.addEventListener("submit", (event) => {
      event.preventDefault();
      if (event.target.id === "note") this.#saveNote();
      else this.#send();
    });
    this.#keepDrafts();
  }

  get #root() {
    return document.getElementById("composer");
  }
  get #reply() {
    return document.getElementById("reply");
  }
  get #note() {
    return document.getElementById("note");
  }
  get #text() {
    return document.getElementById("text");
  }
  get #key() {
    return document.getElementById("client-key");
  }
  get #busy() {
    return Boolean(this.#text) && (document.activeElement === this.#text || this.#text.value !== "");
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
    if (this.#mode === "note") fresh.querySelector("#reply").hidden = true;
    morph(this.#root, fresh);
    this.#keepDrafts();
  }

  // A colleague writes a reply: the empty field steps back and says who, until they stop or this person writes all the same.
  yieldTo(colleague, since) {
    const band = document.getElementById("soft");
    if (!band || !this.#text) return;
    if (!colleague) this.#ignores = "";
    const yields = Boolean(colleague) && colleague.member !== this.#ignores && !this.#busy;
    if (yields) {
      band.querySelector("b").textContent = word("writesSince", colleague.name).replace("$", since);
      band.querySelector("[data-mode] span").textContent = word("noteTo", colleague.name.split(" ")[0]);
      band.dataset.member = colleague.member;
    }
    band.hidden = !yields;
  }

  // Go into a field, by key or because the conversation was chosen to be answered.
  focus(mode) {
    if (!this.#reply) return;
    const yields = document.getElementById("soft")?.hidden === false;
    if (mode === "reply" && yields) this.#anyway();
    else this.#switch(mode);
  }

  #anyway() {
    const band = document.getElementById("soft");
    this.#ignores = band.dataset.member;
    band.hidden = true;
    this.#text.focus();
  }

  #say(reason, may) {
    document.getElementById("reason").replaceChildren(...reason);
    document.getElementById("send").disabled = may === "no";
  }

  #switch(mode, byKey = false) {
    this.#mode = mode;
    this.#reply.hidden = mode !== "reply";
    this.#note.hidden = mode !== "note";
    const form = mode === "reply" ? this.#reply : this.#note;
    (byKey ? form.querySelector("[aria-selected=true]") : form.querySelector("textarea"))?.focus();
  }

  #send() {
    const text = this.#text.value.trim();
    if (!text || document.getElementById("send").disabled) return;
    if (this.#kept && this.#kept.text !== text) this.#key.value = newKey();
    this.#kept = null;
    const key = this.#key.value;
    this.#key.value = newKey();
    this.#text.value = "";
    this.#writing(null);
    this.#thread.pend(key, text);
    const draft = this.#drafts.reply;
    const saved = draft.hold();
    this.#sending = this.#sending.then(() => saved).then(() => this.#post(key, text, draft)); // in the order of writing
  }

  async #post(key, text, draft) {
    const form = new URLSearchParams({ text, client_key: key, view: this.#reply.elements.view.value });
    try {
      const answer = await ask(this.#action("messages"), form);
      draft.release(true);
      this.#changed(answer);
    } catch (error) {
      draft.release(false);
      this.#thread.unpend(key);
      if (!draft.field.isConnected) {
        draft.restore(text); // another conversation has taken the place
        return;
      }
      this.#giveBack(key, text);
      if (error instanceof Offline) this.#say([band(word("away"))], "free");
      else if (error.body.reason) {
        this.#say(parse(error.body.reason), "no");
        this.#changed({}); // head and contact say it too
      } else this.#say([band(error.message)], "free");
    }
  }

  #giveBack(key, text) {
    if (this.#text.value) this.#text.value = `${text}\n\n${this.#text.value}`;
    else {
      this.#text.value = text;
      this.#key.value = key;
      this.#kept = { key, text };
    }
    this.#remember();
  }

  // What came back had been stored after all: only its answer was lost.
  #arrived() {
    if (this.#text.value.trim() === this.#kept.text) this.#text.value = "";
    this.#key.value = newKey();
    this.#kept = null;
    this.#remember();
    document.getElementById("reason").replaceChildren();
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
