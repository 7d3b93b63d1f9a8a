// Who else looks at the open conversation, and who writes there, the customer too. This page says what its person does: at once when
// it changes, again every 20 s; the answer and the whispers of the hub say who else is there.

import { ask } from "./http.js";
import { clockTime, word } from "./words.js";

const BEAT = 20_000;
const AGAIN = 5_000; // somebody who goes on writing says so again
const IDLE = 12_000; // who stopped for so long does not write any more
const TAB = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Presence {
  #url;
  #conversation;
  #me;
  #show;
  #state = "looks";
  #said = 0;
  #beat;
  #idle = 0;
  #fade = 0;
  #customer = 0;
  #since = ""; // when somebody else began to write

  // `show(colleague, since)`: who writes a reply there now, or null.
  constructor(base, conversation, me, show) {
    this.#url = `${base}/conversations/${conversation}/presence`;
    this.#conversation = conversation;
    this.#me = me;
    this.#show = show;
    if (!conversation) return;
    this.#say();
    this.#beat = setInterval(() => this.#say(), BEAT);
  }

  // The person writes a reply or a note.
  writes(kind) {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.rests(), IDLE);
    if (this.#state === kind && performance.now() - this.#said < AGAIN) return;
    this.#state = kind;
    this.#say();
  }

  // The field is empty, or nothing was written for a while.
  rests() {
    clearTimeout(this.#idle);
    if (this.#state === "looks") return;
    this.#state = "looks";
    this.#say();
  }

  // The tab was put away or is looked at again.
  look() {
    if (this.#conversation) this.#say();
  }

  close() {
    clearInterval(this.#beat);
    clearTimeout(this.#idle);
    clearTimeout(this.#fade);
    clearTimeout(this.#customer);
    if (this.#conversation) this.#post("gone");
    this.#conversation = "";
  }

  heard({ conversation, here, customer_writes: writes }) {
    if (!conversation || conversation !== this.#conversation) return;
    if (here) this.#draw(here);
    else this.#drawCustomer(writes);
  }

  // Messengers say again and again that somebody writes, and not all of them that they stopped.
  #drawCustomer(writes) {
    clearTimeout(this.#customer);
    document.querySelector("[data-customer]").hidden = !writes;
    if (writes) this.#customer = setTimeout(() => this.#drawCustomer(false), IDLE);
  }

  async #say() {
    this.#said = performance.now();
    const answer = await this.#post(document.visibilityState === "visible" ? this.#state : "gone");
    if (answer) this.heard(answer);
  }

  #post(state) {
    return ask(this.#url, new URLSearchParams({ state, tab: TAB }), { keepalive: true }).catch(() => null); // said again soon
  }

  #draw(here) {
    const others = here.filter(({ member }) => member !== this.#me);
    const names = { reply: [], note: [], looks: [] };
    for (const { name, state } of others) names[state].push(name);
    const told = ["reply", "note", "looks"].filter((state) => names[state].length).map((state) => phrase(state, names[state]));
    document.querySelector("[data-present]").hidden = !told.length;
    document.querySelector("[data-present] > span").textContent = told.join(" · ");
    const writer = others.find(({ state }) => state === "reply") ?? null;
    this.#since = writer ? this.#since || clockTime() : "";
    this.#show(writer, this.#since);
    clearTimeout(this.#fade);
    const still = others.map((one) => ({ ...one, state: "looks" }));
    if (names.reply.length || names.note.length) this.#fade = setTimeout(() => this.#draw(still), IDLE);
  }
}

function phrase(state, names) {
  if (names.length > 2) return word(`${state}Many`, names.length);
  return word(names.length === 1 ? `${state}One` : `${state}Many`, names.join(word("and")));
}
