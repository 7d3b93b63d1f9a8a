// What a reply can hold besides its words, as a frame below the text: answers to press, times to pick, cards. One is open at a time. The fields
// stand in the page (composer/frames.html); here they are added, taken away, shown as they will arrive, and put back when sending failed.

import { ask, Offline } from "./http.js";
import { word } from "./words.js";

class Frame {
  #id;
  #first;

  // `first`: how many rows a frame begins with.
  constructor(id, first) {
    this.#id = id;
    this.#first = first;
  }

  get node() {
    return document.getElementById(this.#id);
  }
  get isOpen() {
    return Boolean(this.node) && !this.node.hidden;
  }
  get busy() {
    return false;
  }
  get rows() {
    return [...this.#list.children];
  }
  get #list() {
    return this.node.querySelector("[data-rows]");
  }

  open() {
    this.node.hidden = false;
    while (this.rows.length < this.#first) this.add();
    this.draw();
  }

  close() {
    this.lift();
  }

  // A row more, behind this one or at the end; the last one when there are as many as the messenger takes.
  add(after = null) {
    if (this.rows.length >= Number(this.node.dataset.most)) return this.rows.at(-1);
    const row = this.node.querySelector("template").content.firstElementChild.cloneNode(true);
    if (after) after.after(row);
    else this.#list.append(row);
    this.draw();
    return row;
  }

  // Take a row away; without rows the frame is closed.
  drop(row) {
    row.remove();
    if (this.rows.length) this.draw();
    else this.close();
  }

  // Everything in it leaves together, to come back with `put` when sending failed.
  lift() {
    const lifted = this.rows;
    this.#list.replaceChildren();
    this.node.hidden = true;
    return lifted;
  }

  put(lifted) {
    this.#list.append(...lifted);
    this.node.hidden = false;
    this.draw();
  }

  draw() {
    this.node.querySelector("[data-more]").disabled = this.rows.length >= Number(this.node.dataset.most);
  }
}

function name(field, words) {
  field.placeholder = words;
  field.setAttribute("aria-label", words);
}

export class Choice extends Frame {
  constructor() {
    super("choice", 2);
  }

  get #fields() {
    return this.rows.map((row) => row.querySelector("input"));
  }
  get words() {
    return this.#fields.map((field) => field.value.trim()).filter(Boolean);
  }

  // What is wrong with it, if anything.
  check(text) {
    return this.words.length && !text ? word("askFirst") : "";
  }

  write(body) {
    for (const option of this.words) body.append("options", option);
  }

  draw() {
    super.draw();
    this.#fields.forEach((field, at) => name(field, word("option", at + 1)));
  }
}

export class Times extends Frame {
  constructor() {
    super("times", 1);
  }

  get #fields() {
    return this.rows.map((row) => row.querySelector("input"));
  }
  get #minutes() {
    return Number(this.node.querySelector("[name=minutes]").value);
  }
  get words() {
    return [...this.node.querySelectorAll("[data-shown] li")].map((row) => row.textContent);
  }

  check(text) {
    if (!this.#fields.some((field) => field.value)) return word("timesMissing");
    return text ? "" : word("timesAskFirst");
  }

  write(body) {
    body.set("minutes", this.#minutes);
    body.set("event_title", this.node.querySelector("[name=event_title]").value.trim());
    for (const field of this.#fields) if (field.value) body.append("slots", field.value);
  }

  // The next time begins where the one before ends.
  add(after = null) {
    const before = (after ?? this.rows.at(-1))?.querySelector("input").value;
    const count = this.rows.length;
    const row = super.add(after);
    if (before && this.rows.length > count) row.querySelector("input").value = later(before, this.#minutes);
    this.draw();
    return row;
  }

  draw() {
    super.draw();
    this.#fields.forEach((field, at) => field.setAttribute("aria-label", word("time", at + 1)));
    const starts = this.#fields.map((field) => field.value).filter(Boolean).sort();
    const minutes = this.node.querySelector("[name=minutes]").selectedOptions[0].text;
    show(this.node, starts.map((start) => chip(`${spoken(start)} · ${minutes}`)));
  }
}

// A date and time field's value, so many minutes on. The page reads both in its own zone, so no zone is asked here.
function later(local, minutes) {
  return new Date(Date.parse(`${local}Z`) + minutes * 60_000).toISOString().slice(0, 16);
}

function spoken(local) {
  const style = { weekday: "short", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit", timeZone: "UTC" };
  return new Date(`${local}Z`).toLocaleString(document.documentElement.lang, style);
}

function chip(text) {
  const node = document.createElement("li");
  node.className = "chip line1 l";
  node.textContent = text;
  return node;
}

// How it will arrive; nothing until there is something to see.
function show(frame, nodes) {
  const shown = frame.querySelector("[data-shown]");
  shown.replaceChildren(...nodes);
  shown.parentElement.hidden = !nodes.length;
}

export class Cards extends Frame {
  #url;
  #rules;
  #told;
  #busy = 0;

  // Pictures are uploaded to `url()`; `rules()`: what the messenger takes. `told(text)`: a picture came or went, or what was wrong with it.
  constructor(url, rules, told) {
    super("cards", 1);
    this.#url = url;
    this.#rules = rules;
    this.#told = told;
  }

  get busy() {
    return this.#busy > 0;
  }
  get #cards() {
    return this.rows.map(read).filter((card) => card.title || card.text || card.file || card.options.length);
  }
  get words() {
    return this.#cards.map((card) => [card.title, card.text, ...card.options].filter(Boolean).join("\n"));
  }

  check() {
    const cards = this.#cards;
    if (!cards.length || cards.some((card) => !card.title)) return word("cardTitle");
    return cards.some((card) => !(card.text || card.file || card.options.length)) ? word("cardMore") : "";
  }

  write(body) {
    for (const card of this.#cards) {
      body.append("card_titles", card.title);
      body.append("card_texts", card.text);
      body.append("card_files", card.file);
      body.append("card_options", card.options.join("\n"));
    }
  }

  draw() {
    super.draw();
    this.rows.forEach((row, at) => (row.querySelector("legend").textContent = word("card", at + 1)));
    show(this.node, this.#cards.map((card) => this.#shown(card)));
  }

  #shown(card) {
    const node = this.node.querySelector("template[data-card]").content.firstElementChild.cloneNode(true);
    node.querySelector("b").textContent = card.title;
    node.querySelector(".sm:not(b)").textContent = card.text;
    node.querySelector(".choices").replaceChildren(...card.options.map(chip));
    if (card.thumb) node.querySelector(".fi").replaceChildren(picture(card.thumb));
    return node;
  }

  async attach(row, file) {
    const rule = this.#rules().image;
    if (!file.size || (rule.types.length && !rule.types.includes(file.type)) || file.size > rule.bytes) {
      this.#told(word("cardPicture", file.name));
      return;
    }
    const form = new FormData();
    form.append("file", file);
    this.#busy += 1;
    this.#told("");
    let wrong = "";
    try {
      const { id, thumb } = await ask(this.#url(), form);
      Object.assign(row.dataset, { file: id, thumb: thumb ?? "" });
    } catch (error) {
      wrong = error instanceof Offline ? word("uploadLost", file.name) : error.message;
    }
    this.#busy -= 1;
    mark(row);
    if (this.isOpen) this.draw();
    this.#told(wrong);
  }

  detach(row) {
    delete row.dataset.file;
    delete row.dataset.thumb;
    mark(row);
    this.draw();
  }
}

function read(row) {
  const value = (field) => row.querySelector(`[name=${field}]`).value.trim();
  const options = [...row.querySelectorAll("[name=card_option]")].map((field) => field.value.trim()).filter(Boolean);
  const { file = "", thumb = "" } = row.dataset;
  return { title: value("card_title"), text: value("card_text"), file, thumb, options };
}

// Whether a card has a picture: then it is shown, and can be taken away.
function mark(row) {
  const { file, thumb } = row.dataset;
  row.querySelector("[data-picture]").hidden = Boolean(file);
  row.querySelector("[data-unpicture]").hidden = !file;
  row.querySelector(".small").replaceChildren(...(thumb ? [picture(thumb)] : []));
}

function picture(url) {
  const node = document.createElement("img");
  node.src = url;
  node.alt = "";
  return node;
}
