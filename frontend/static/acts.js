// What is done to a message: a menu beside it that offers what the hub says can be done, by pointer and by keyboard. Reply and edit
// are the composer's (`onReply`, `onEdit`); react and delete are forms that `inbox.js` sends like every act.

import { word } from "./words.js";

export class Acts {
  onReply = () => {};
  onEdit = () => {};
  #base;
  #talk;
  #menu;
  #question;
  #piece = null;

  constructor(node, base) {
    this.#base = base;
    this.#talk = node.querySelector("[data-talk]");
    this.#menu = node.querySelector("#acts");
    this.#question = node.querySelector("#take-back");
    this.#talk.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button) this.#do(button.dataset.do, button.closest(".msg"), button);
    });
    this.#talk.addEventListener("keydown", (event) => this.#key(event));
    this.#talk.addEventListener("focusin", (event) => {
      if (event.target.matches(".msg")) this.rove(event.target);
    });
    this.#menu.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (!button) return;
      this.#menu.hidePopover();
      this.#do(button.dataset.do, this.#piece, button);
    });
    this.#menu.addEventListener("keydown", (event) => this.#walk(event));
    this.#menu.addEventListener("submit", () => setTimeout(() => this.#menu.hidePopover(), 0));
    this.#question.addEventListener("submit", () => setTimeout(() => this.#question.close(), 0));
    this.#question.querySelector("[data-close]").addEventListener("click", () => this.#question.close());
    this.rove();
  }

  // One message can be reached by Tab: the one that was last in focus, else the newest.
  rove(chosen = null) {
    const pieces = this.#pieces();
    const one = chosen ?? pieces.find((piece) => piece === document.activeElement) ?? pieces[pieces.length - 1];
    for (const piece of pieces) {
      const wanted = piece === one ? "0" : "-1";
      if (piece.getAttribute("tabindex") !== wanted) piece.setAttribute("tabindex", wanted);
    }
  }

  #pieces() {
    return [...this.#talk.querySelectorAll(":scope > .msg[data-acts]")];
  }

  #key(event) {
    if (!event.target.matches(".msg") || event.ctrlKey || event.metaKey || event.altKey) return;
    const pieces = this.#pieces();
    const at = pieces.indexOf(event.target);
    const steps = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: pieces.length - 1 };
    if (event.key in steps) pieces[steps[event.key]]?.focus();
    else if (event.key === "Enter") this.#open(event.target, event.target.querySelector("[data-do=menu]"));
    else if (event.key.toLowerCase() === "r" && this.#offers(event.target, "reply")) this.#do("reply", event.target);
    else return;
    event.preventDefault();
    event.stopPropagation(); // a key of the page with the same letter is not meant
  }

  #offers(piece, act) {
    return piece.dataset.acts.split(" ").includes(act);
  }

  #do(act, piece, button = null) {
    if (act === "menu") this.#open(piece, button);
    else if (act === "reply") this.onReply(piece);
    else if (act === "edit") this.onEdit(piece);
    else if (act === "copy") this.#copy(piece);
    else if (act === "report") location.assign(this.#address(piece, "report"));
    else if (act === "delete") {
      this.#question.querySelector("form").action = this.#address(piece, "delete");
      this.#question.showModal();
    }
  }

  #address(piece, act) {
    return `${this.#base}/messages/${piece.id}/${act}`;
  }

  #open(piece, button) {
    this.#piece = piece;
    for (const node of this.#menu.querySelectorAll("[data-for]")) node.hidden = !this.#offers(piece, node.dataset.for);
    const reactions = this.#menu.querySelector("form");
    if (reactions) {
      reactions.action = this.#address(piece, "react");
      this.#menu.querySelector("[data-unreact]").hidden = !piece.dataset.reaction;
      for (const one of reactions.querySelectorAll(".emo")) one.setAttribute("aria-pressed", String(one.value === piece.dataset.reaction));
      const more = reactions.querySelector("details");
      if (more) more.open = false;
    }
    if (!navigator.clipboard) this.#menu.querySelector("[data-for=copy]").hidden = true; // only over https
    this.#menu.showPopover();
    place(this.#menu, button.getBoundingClientRect());
    this.#items()[0]?.focus();
  }

  #items() {
    return [...this.#menu.querySelectorAll("button, summary")].filter((node) => node.checkVisibility());
  }

  #walk(event) {
    const items = this.#items();
    const at = items.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    items[(at + step + items.length) % items.length].focus();
  }

  async #copy(piece) {
    await navigator.clipboard.writeText(piece.querySelector(".bub .txt").innerText);
    document.dispatchEvent(new CustomEvent("toast", { detail: word("copied") }));
  }
}

// Put something that floats beside a rectangle, inside the window: above or below, whichever has the room.
export function place(node, { left, right, top, bottom }) {
  const { width, height } = node.getBoundingClientRect();
  const above = bottom + height > innerHeight - 8;
  const x = left + width > innerWidth - 8 ? right - width : left;
  node.style.insetInlineStart = `${Math.max(8, x)}px`;
  node.style.insetBlockStart = `${Math.max(8, above ? top - height - 4 : bottom + 4)}px`;
}
