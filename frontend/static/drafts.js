// One field's draft, kept on the hub: saved when typing pauses and when the field is left, once more when the connection is back.
// Until the hub has it, it is kept in this tab. Two pages never overwrite each other: who was slower is told and decides.

import { ask, Refused } from "./http.js";

const PAUSE = 600;
const RETRY = 4_000;

export class Draft {
  #url;
  #kind;
  #place;
  #field;
  #version;
  #kept; // what the hub has
  #timer = 0;
  #saving = Promise.resolve();
  #moved = false; // waits for the person's decision
  #held = 0; // sends under way
  #told;
  #news = false;

  // `told(state, kept)`: dirty, clean, saved, waits, or moved with what the hub has, {text, version}.
  constructor(url, kind, field, told) {
    this.#url = url;
    this.#kind = kind;
    this.#place = `draft:${url}:${kind}`;
    this.#field = field;
    this.#told = told;
    this.#version = Number(field.dataset.version);
    this.#kept = field.defaultValue;
    const unsaved = sessionStorage.getItem(this.#place);
    if (unsaved !== null) field.value = unsaved;
    this.typed(0);
  }

  get field() {
    return this.#field;
  }

  // The person wrote.
  typed(pause = PAUSE) {
    const dirty = this.#field.value !== this.#kept;
    this.#told(dirty ? "dirty" : "clean");
    if (dirty) sessionStorage.setItem(this.#place, this.#field.value);
    else sessionStorage.removeItem(this.#place);
    clearTimeout(this.#timer);
    if (dirty && !this.#moved) this.#timer = setTimeout(() => this.save(), pause);
  }

  // Save now what is not saved yet; saves follow each other.
  save() {
    clearTimeout(this.#timer);
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  // A text leaves the field to be sent: nothing is saved until it is known what came of it, so no draft outlives its message.
  hold() {
    this.#held += 1;
    return this.#saving;
  }

  // It was sent, and the hub has taken the draft away; or it was not, and the draft is as before.
  release(sent) {
    this.#held -= 1;
    if (sent) {
      this.#version = 0;
      this.#kept = "";
      this.#news = true;
      this.#moved = false;
    }
    this.typed();
  }

  // What could not be sent goes back where it came from, before what was written since.
  restore(text) {
    this.#field.value = this.#field.value ? `${text}\n\n${this.#field.value}` : text;
    this.typed(0);
  }

  // Whether the hub has another text since this was asked last.
  news() {
    const was = this.#news;
    this.#news = false;
    return was;
  }

  // What the hub drew: another page of this person may have gone on; what was not touched here follows it.
  seen(field) {
    const version = Number(field.dataset.version);
    if (version <= this.#version || this.#field.value !== this.#kept || this.#moved) return;
    this.take({ text: field.value, version });
  }

  take({ text, version }) {
    this.#moved = false;
    this.#version = version;
    this.#field.value = this.#kept = text;
    this.typed();
  }

  keepMine({ text, version }) {
    this.#moved = false;
    this.#version = version;
    this.#kept = text;
    this.typed(0);
  }

  async #save() {
    const text = this.#field.value;
    if (text === this.#kept || this.#moved || this.#held) return;
    try {
      const { version } = await ask(this.#url, new URLSearchParams({ kind: this.#kind, text, version: this.#version }), { keepalive: true });
      this.#version = version;
      this.#kept = text;
      this.#news = true;
      if (this.#field.value === text) sessionStorage.removeItem(this.#place);
      this.#told("saved");
    } catch (error) {
      if (error instanceof Refused && error.status === 409) {
        const kept = { text: error.body.kept, version: error.body.version };
        if (kept.text === text) return void this.keepMine(kept); // the answer to an earlier save was lost
        this.#moved = true;
        this.#told("moved", kept);
        return;
      }
      this.#told("waits");
      if (!(error instanceof Refused) || error.status >= 500) this.#timer = setTimeout(() => this.save(), RETRY);
    }
  }
}
