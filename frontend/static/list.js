// The list. A changed row is drawn anew where it stands; new and moved conversations collect in the head until the person wants
// the order. Nothing moves under the pointer.

import { ask } from "./http.js";
import { morph, morphChildren, parse } from "./morph.js";
import { word } from "./words.js";

export class List {
  #base;
  #view;
  #rows = document.querySelector("[data-rows]");
  #fresh = document.querySelector("[data-fresh]");
  #waiting = new Set();
  #left = new Set();
  #current = "";
  #sight = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.#more());

  constructor(base, view) {
    this.#base = base;
    this.#view = view;
    this.#fresh.addEventListener("click", () => this.order());
    this.#rows.addEventListener("click", (event) => {
      if (!event.target.closest("[data-more]")) return;
      event.preventDefault();
      this.#more();
    });
    this.#watch();
  }

  // Mark the open conversation.
  select(id) {
    this.#current = id;
    for (const row of this.#rows.querySelectorAll(".row")) {
      if (row.id === id) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  // The row below (1) or above (-1) a conversation that is still in this list; without one, the first.
  beside(id, by) {
    const rows = [...this.#rows.querySelectorAll(".row")];
    const at = rows.findIndex((row) => row.id === id);
    const rest = at < 0 ? rows : by > 0 ? rows.slice(at + 1) : rows.slice(0, at).reverse();
    return rest.find((row) => !row.matches(".gone")) ?? null;
  }

  has(id) {
    return Boolean(this.#row(id));
  }

  // Take what the hub drew: [{id, key, here, html}].
  apply(changed) {
    for (const { id, key, here, html } of changed) {
      const old = this.#row(id);
      if (!old) {
        if (here && this.#reaches(key)) this.#waiting.add(id);
        else this.#waiting.delete(id);
        continue;
      }
      const [fresh] = parse(html);
      if (id === this.#current) fresh.setAttribute("aria-current", "true");
      fresh.classList.toggle("gone", !here);
      if (!here) this.#left.add(id);
      else this.#left.delete(id);
      morph(old, fresh);
      if (here && !this.#inPlace(old)) this.#waiting.add(id);
      else this.#waiting.delete(id);
    }
    if (!this.#rows.querySelector(".row") && this.#waiting.size) this.order();
    else this.#tell();
  }

  // More changed than can be asked for by id: the order has to be asked for as a whole.
  stale(ids) {
    for (const id of ids) this.#waiting.add(id);
    this.#tell();
  }

  // Bring the list into its present order, from the top.
  async order() {
    const { html } = await ask(`${this.#base}/inbox-rows/${this.#view}`);
    this.#waiting.clear();
    this.#left.clear();
    const holder = document.createElement("div");
    holder.append(...parse(html));
    morphChildren(this.#rows, [...holder.childNodes]);
    this.select(this.#current);
    this.#rows.scrollTop = 0;
    this.#tell();
    this.#watch();
  }

  #row(id) {
    return [...this.#rows.children].find((child) => child.id === id);
  }

  // Whether a row with this key belongs to the part of the list that is loaded.
  #reaches(key) {
    const rows = this.#rows.querySelectorAll(".row");
    const last = rows[rows.length - 1];
    return !last || !this.#rows.querySelector("[data-more]") || earlier(last.dataset.key, key);
  }

  #inPlace(row) {
    const rows = [...this.#rows.querySelectorAll(".row")];
    const at = rows.indexOf(row);
    return [rows[at - 1], row, rows[at + 1]].every((one, number, three) => !one || !three[number + 1] || earlier(three[number + 1].dataset.key, one.dataset.key));
  }

  #tell() {
    const count = [...this.#waiting].filter((id) => this.#row(id)?.matches(".new") ?? true).length;
    this.#fresh.hidden = !this.#waiting.size && !this.#left.size;
    this.#fresh.querySelector("span").textContent = count ? word("new", count) : word("stale");
  }

  #watch() {
    this.#sight.disconnect();
    const more = this.#rows.querySelector("[data-more]");
    if (more) this.#sight.observe(more);
  }

  async #more() {
    const link = this.#rows.querySelector("[data-more]");
    if (!link || link.hasAttribute("aria-busy")) return;
    link.setAttribute("aria-busy", "true");
    try {
      const { html } = await ask(`${this.#base}/inbox-rows/${this.#view}?after=${link.dataset.more}`);
      const fresh = parse(html).filter((node) => !this.#row(node.id) || node.id === "more");
      link.replaceWith(...fresh);
      this.select(this.#current);
      this.#watch();
    } catch {
      link.removeAttribute("aria-busy"); // a click tries again
    }
  }
}

// Whether key `one` stands further down in a list than `other`: by group, then by place in it, the higher the further up.
function earlier(one, other) {
  const [a, b] = [one.split("."), other.split(".")];
  if (a[0] !== b[0]) return a[0] < b[0];
  return BigInt(a[1]) !== BigInt(b[1]) ? BigInt(a[1]) < BigInt(b[1]) : a[2] < b[2];
}
