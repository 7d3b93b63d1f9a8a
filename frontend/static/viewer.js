// Pictures and films of the loaded thread, one at a time over the page. The dialog keeps the focus; what opened it gets it back.

import { word } from "./words.js";

const ZOOMS = [1, 1.5, 2, 3, 4];

export class Viewer {
  #talk;
  #dialog;
  #stage;
  #opener = null;
  #zoom = 0;

  constructor(node) {
    this.#talk = node.querySelector("[data-talk]");
    this.#dialog = node.querySelector("#viewer");
    this.#stage = this.#dialog.querySelector("[data-stage]");
    this.#talk.addEventListener("click", (event) => {
      const link = event.target.closest("[data-look]");
      if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#show(link);
      this.#dialog.showModal();
      this.#stage.focus();
    });
    this.#dialog.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.turn) this.#turn(Number(button.dataset.turn));
      else if (button?.dataset.zoom) this.#magnify(Number(button.dataset.zoom));
      else if (button && "close" in button.dataset) this.#dialog.close();
      else if (event.target === this.#dialog || event.target === this.#stage) this.#dialog.close();
      else if (event.target.matches("img")) this.#magnify(this.#zoom ? -ZOOMS.length : 2);
    });
    this.#dialog.addEventListener("keydown", (event) => {
      event.stopPropagation(); // the page's own keys rest
      if (event.target.matches("video")) return;
      if (event.key === "ArrowLeft") this.#turn(-1);
      else if (event.key === "ArrowRight") this.#turn(1);
      else if (event.key === "+") this.#magnify(1);
      else if (event.key === "-") this.#magnify(-1);
      else if (event.key === "0") this.#magnify(-ZOOMS.length);
    });
    this.#dialog.addEventListener("close", () => {
      this.#stage.replaceChildren();
      this.#opener?.focus();
    });
  }

  #all() {
    return [...this.#talk.querySelectorAll("[data-look]")];
  }

  #turn(step) {
    const next = this.#all()[this.#all().indexOf(this.#opener) + step];
    if (next) this.#show(next);
  }

  #show(link) {
    this.#opener = link;
    this.#zoom = 0;
    const { look, kind, file, name } = link.dataset;
    const node = document.createElement(look === "video" ? "video" : "img");
    if (look === "video") {
      node.controls = true;
      node.autoplay = true;
      node.loop = node.muted = kind === "animation" || kind === "sticker";
      node.classList.toggle("round", kind === "video_note");
      node.poster = link.querySelector("img")?.src ?? "";
    } else node.alt = name;
    node.src = `${file}?inline=1`;
    this.#stage.replaceChildren(node);
    this.#stage.classList.remove("zoomed");
    const all = this.#all();
    const at = all.indexOf(link);
    const find = (selector) => this.#dialog.querySelector(selector);
    find("[data-title]").textContent = name;
    find("[data-place]").textContent = word("placeOne", at + 1, all.length);
    find("[data-get]").href = file;
    find("[data-turn='-1']").disabled = at === 0;
    find("[data-turn='1']").disabled = at === all.length - 1;
    for (const button of this.#dialog.querySelectorAll("[data-zoom]")) button.hidden = look === "video";
  }

  #magnify(step) {
    const picture = this.#stage.querySelector("img");
    if (!picture) return;
    const fit = picture.clientWidth / ZOOMS[this.#zoom];
    this.#zoom = Math.max(0, Math.min(ZOOMS.length - 1, this.#zoom + step));
    this.#stage.classList.toggle("zoomed", this.#zoom > 0);
    if (this.#zoom) picture.style.inlineSize = `${Math.round(fit * ZOOMS[this.#zoom])}px`;
    else picture.style.removeProperty("inline-size");
  }
}
