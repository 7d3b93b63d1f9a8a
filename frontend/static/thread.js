// The open conversation: pieces swapped by id in the order of their keys. A reader who scrolled up stays where they are.

import { Acts } from "./acts.js";
import { ask } from "./http.js";
import { morph, parse } from "./morph.js";
import { Player } from "./player.js";
import { Viewer } from "./viewer.js";
import { word } from "./words.js";

const TAIL = 30;
const FLASH = 1_500;
const BEGINNING = "0.0.0";
const NEAR = 40; // pixels from the end that still count as the end

export class Thread {
  #base;
  #view;
  #writes;
  #node;
  #scroll;
  #talk;
  #below;
  #unseen = 0;
  #unread;
  #sight;
  #player;

  constructor(base, view, writes) {
    this.#base = base;
    this.#view = view;
    this.#writes = writes;
    this.#node = document.querySelector("[data-thread]");
    this.id = this.#node.dataset.thread;
    if (!this.id) return;
    this.#scroll = this.#node.querySelector("[data-scroll]");
    this.#talk = this.#node.querySelector("[data-talk]");
    this.#below = this.#node.querySelector("[data-below]");
    this.#unread = Number(this.#node.dataset.unread) > 0;
    this.#below.addEventListener("click", () => this.toEnd());
    this.#scroll.addEventListener("scroll", () => this.#atEnd() && this.#seen(), { passive: true });
    this.#talk.addEventListener("click", (event) => {
      const to = event.target.closest("[data-jump]");
      if (to) {
        event.preventDefault();
        this.#jump(to);
      } else if (event.target.closest("[data-older]")) this.#older();
    });
    this.acts = new Acts(this.#node, base);
    this.#player = new Player(this.#talk);
    new Viewer(this.#node);
    this.#sight = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.#older(), { root: this.#scroll });
    this.#watch();
    this.#seen();
  }

  // Stop looking: another conversation takes the place.
  close() {
    this.#sight?.disconnect();
    this.#player?.stop();
  }

  // The keys that bound what has to be drawn anew: [oldest loaded, where the tail begins]. A thread that is loaded from its
  // beginning has no oldest line: a message may come in before all others, since threads sort by the provider's time.
  bounds() {
    const pieces = this.#pieces();
    const oldest = this.#talk.querySelector("[data-older]") ? pieces[0].dataset.key : BEGINNING;
    return [oldest, pieces.length > TAIL ? pieces[pieces.length - TAIL].dataset.key : oldest];
  }

  // Put the end of the thread in place of the old one.
  apply(html) {
    const fresh = parse(html);
    if (!fresh.length) return;
    const keep = this.#hold();
    const start = fresh[0].dataset.key;
    const known = new Set(this.#pieces().map((piece) => piece.id));
    let place = this.#pieces().find((piece) => !earlier(piece.dataset.key, start)) ?? this.#talk.querySelector(".pending");
    const ids = new Set(fresh.map((piece) => piece.id));
    for (const gone of this.#pieces()) {
      if (ids.has(gone.id) || earlier(gone.dataset.key, start)) continue;
      if (gone === place) place = place.nextElementSibling;
      gone.remove();
    }
    this.#insert(fresh, place);
    this.acts.rove();
    const arrived = fresh.filter((piece) => !known.has(piece.id) && piece.matches(".msg:not(.out)")).length;
    if (arrived) this.#unread = true;
    if (keep()) this.#seen();
    else this.#count(arrived);
  }

  // Show a message at once, before the hub has it; `apply` takes it away again when it comes with the same key.
  pend(key, text) {
    const [piece] = parse(`<article class="msg out turn pending"><div class="col"><div class="bub"><div class="txt" dir="auto"></div></div><p class="meta"></p></div></article>`);
    piece.dataset.client = key;
    piece.querySelector(".txt").textContent = text;
    piece.querySelector(".meta").textContent = word("saving");
    this.#talk.append(piece);
    this.toEnd();
  }

  unpend(key) {
    this.#pending(key)?.remove();
  }

  holds(key) {
    return this.#pieces().some((piece) => piece.dataset.client === key);
  }

  toEnd() {
    this.#scroll.scrollTop = 0; // column-reverse: 0 is the end
    this.#seen();
  }

  // The tab is looked at again, or the end was reached: what came in counts as read.
  look() {
    if (this.id && this.#atEnd()) this.#seen();
  }

  #pieces() {
    return [...this.#talk.children].filter((child) => child.dataset.key);
  }

  #pending(key) {
    return [...this.#talk.querySelectorAll(".pending")].find((piece) => piece.dataset.client === key);
  }

  #insert(fresh, place) {
    for (const piece of fresh) {
      if (piece.dataset.client) this.unpend(piece.dataset.client);
      const old = this.#talk.querySelector(`:scope > [id="${piece.id}"]`);
      if (place && !place.isConnected) place = this.#talk.querySelector(".pending");
      if (!old) this.#talk.insertBefore(piece, place);
      else {
        if (old === place) place = place.nextElementSibling;
        else this.#talk.insertBefore(old, place);
        morph(old, piece);
      }
    }
  }

  #atEnd() {
    return Math.abs(this.#scroll.scrollTop) < NEAR;
  }

  // Remember the first line in sight; the function given back puts it where it was, or says true when the end is in view anyway.
  #hold() {
    if (this.#atEnd()) return () => true;
    const top = this.#scroll.getBoundingClientRect().top;
    const anchor = this.#pieces().find((piece) => piece.getBoundingClientRect().bottom > top);
    const before = anchor?.getBoundingClientRect().top;
    return () => {
      if (anchor?.isConnected) this.#scroll.scrollTop += anchor.getBoundingClientRect().top - before;
      return false;
    };
  }

  #count(arrived) {
    this.#unseen += arrived;
    this.#below.hidden = this.#unseen === 0;
    this.#below.querySelector("span").textContent = word(this.#unseen === 1 ? "belowOne" : "belowOther", this.#unseen);
  }

  #seen() {
    this.#unseen = 0;
    this.#below.hidden = true;
    if (!this.#unread || !this.#writes || document.visibilityState !== "visible") return;
    this.#unread = false;
    ask(`${this.#base}/conversations/${this.id}/read`, new URLSearchParams({ view: this.#view })).catch(() => {
      this.#unread = true; // tried again with the next look
    });
  }

  // Show the message that a quote names, loading older ones until it is there.
  async #jump(quote) {
    const id = quote.dataset.jump;
    const find = () => this.#talk.querySelector(`:scope > [id="${id}"]`);
    while (!find() && (await this.#older()));
    const piece = find();
    if (!piece) {
      quote.title = word("notLoaded");
      return;
    }
    piece.scrollIntoView({ block: "center" });
    piece.focus({ preventScroll: true });
    piece.classList.add("flash");
    setTimeout(() => piece.classList.remove("flash"), FLASH);
  }

  #watch() {
    this.#sight.disconnect();
    const older = this.#talk.querySelector("[data-older]");
    if (older) this.#sight.observe(older);
  }

  // Load the lines before the first one; whether there were any.
  async #older() {
    const button = this.#talk.querySelector("[data-older]");
    if (!button || button.disabled) return false;
    button.disabled = true;
    const [first] = this.#pieces();
    let loaded = false;
    try {
      const query = new URLSearchParams({ before: first.dataset.key, view: this.#view });
      const { html, older } = await ask(`${this.#base}/conversations/${this.id}/older?${query}`);
      this.#insert(parse(html), first);
      if (!older) button.remove();
      loaded = true;
    } catch {
      // offline or refused: the button stays and a click tries again
    }
    button.disabled = false;
    if (button.isConnected) this.#watch();
    return loaded;
  }
}

// Whether a line's key stands before another in the thread.
function earlier(one, other) {
  const [a, b] = [one.split(".").map(BigInt), other.split(".").map(BigInt)];
  for (let at = 0; at < 3; at += 1) if (a[at] !== b[at]) return a[at] < b[at];
  return false;
}
