// Reply and note: two forms with two addresses, one shown. What was typed belongs to the person: no change of state takes it, it
// outlives a reload, and a reply leaves the field only together with its key, so a double click sends once.

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

  // `changed({conversation, message})` asks for the parts that changed.
  constructor(base, thread, changed) {
    this.#base = base;
    this.#thread = thread;
    this.#changed = changed;
    if (!this.#reply) return;
    this.#root.addEventListener("click", (event) => {
      const tab = event.target.closest("[data-mode]");
      if (tab) this.#switch(tab.dataset.mode);
    });
    this.#root.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.id === "text") {
        event.preventDefault();
        this.#reply.requestSubmit();
      } else if (event.key.startsWith("Arrow") && event.target.matches("[role=tab]")) {
        this.#switch(this.#mode === "reply" ? "note" : "reply", true);
      }
    });
    this.#root.addEventListener("input", () => this.#remember());
    this.#root.addEventListener("focusout", () => setTimeout(() => !this.#busy && this.#late && this.#changed({}), 0));
    this.#root.addEventListener("submit", (event) => {
      event.preventDefault();
      if (event.target.id === "note") this.#saveNote();
      else this.#send();
    });
    this.#recall();
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
    if (this.#mode === "note") fresh.querySelector("#reply").hidden = true;
    morph(this.#root, fresh);
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
    this.#remember();
    this.#thread.pend(key, text);
    this.#sending = this.#sending.then(() => this.#post(key, text)); // in the order of writing
  }

  async #post(key, text) {
    const form = new URLSearchParams({ text, client_key: key, view: this.#reply.elements.view.value });
    try {
      this.#changed(await ask(this.#reply.action, form));
    } catch (error) {
      this.#thread.unpend(key);
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
    try {
      this.#changed(await ask(this.#note.action, new URLSearchParams({ text: field.value, view: this.#note.elements.view.value })));
      field.value = "";
      this.#remember();
      this.#switch("reply");
    } catch (error) {
      this.#note.querySelector("[data-note-error]")?.remove();
      const told = band(error instanceof Offline ? word("unsaved") : error.message);
      told.dataset.noteError = "";
      field.before(told);
    }
    button.disabled = false;
  }

  #remember() {
    for (const [name, field] of [["reply", this.#text], ["note", this.#note.elements.text]]) {
      if (field?.value) sessionStorage.setItem(`draft:${this.#thread.id}:${name}`, field.value);
      else sessionStorage.removeItem(`draft:${this.#thread.id}:${name}`);
    }
  }

  #recall() {
    const reply = sessionStorage.getItem(`draft:${this.#thread.id}:reply`);
    if (reply && this.#text && !this.#text.value) this.#text.value = reply;
    this.#note.elements.text.value = sessionStorage.getItem(`draft:${this.#thread.id}:note`) ?? "";
  }
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
