// Voice messages and other sound: one plays at a time, its speed is remembered, its place is a slider that keys move.

import { word } from "./words.js";

const SPEEDS = [1, 1.5, 2];

export class Player {
  #audio = new Audio();
  #node = null;

  constructor(talk) {
    this.#audio.preload = "metadata";
    talk.addEventListener("click", (event) => {
      const node = event.target.closest("[data-voice]");
      if (node && event.target.closest("[data-play]")) this.#toggle(node);
      else if (node && event.target.closest("[data-speed]")) this.#faster();
    });
    talk.addEventListener("input", (event) => {
      const node = event.target.closest("[data-voice]");
      if (node && event.target.matches(".seek")) this.#seek(node, Number(event.target.value));
    });
    for (const name of ["play", "pause", "ended", "timeupdate", "durationchange"]) {
      this.#audio.addEventListener(name, () => this.#draw(name === "ended"));
    }
    this.#audio.addEventListener("error", () => this.#node && this.#say(this.#node, word("soundLost")));
    this.#audio.playbackRate = speed();
    new MutationObserver(() => this.#label(talk)).observe(talk, { childList: true });
    this.#label(talk);
  }

  stop() {
    this.#audio.pause();
  }

  #label(talk) {
    for (const button of talk.querySelectorAll("[data-speed]")) button.textContent = shown(speed());
  }

  #load(node) {
    if (node === this.#node) return;
    this.#audio.pause();
    if (this.#node) this.#rest(this.#node);
    this.#node = node;
    this.#audio.src = node.dataset.voice;
    this.#audio.playbackRate = speed();
  }

  #toggle(node) {
    this.#load(node);
    if (this.#audio.paused) this.#audio.play().catch(() => this.#draw());
    else this.#audio.pause();
  }

  #seek(node, to) {
    this.#load(node);
    this.#audio.currentTime = to;
  }

  #faster() {
    const next = SPEEDS[(SPEEDS.indexOf(speed()) + 1) % SPEEDS.length];
    localStorage.setItem("speed", String(next));
    this.#audio.playbackRate = next;
    for (const button of document.querySelectorAll("[data-speed]")) button.textContent = shown(next);
  }

  #rest(node) {
    node.classList.remove("plays");
    node.querySelector(".seek").value = 0;
  }

  #draw(ended = false) {
    const node = this.#node;
    if (!node) return;
    const { currentTime, duration, paused } = this.#audio;
    const seek = node.querySelector(".seek");
    if (Number.isFinite(duration)) seek.max = duration;
    seek.value = ended ? 0 : currentTime;
    seek.setAttribute("aria-valuetext", clock(currentTime));
    node.classList.toggle("plays", !paused);
    const button = node.querySelector("[data-play]");
    button.setAttribute("aria-label", word(paused ? "play" : "pause"));
    this.#say(node, clock(ended || !currentTime ? Number(seek.max) : currentTime));
  }

  #say(node, text) {
    node.querySelector("[data-time]").textContent = text;
  }
}

function speed() {
  const kept = Number(localStorage.getItem("speed"));
  return SPEEDS.includes(kept) ? kept : 1;
}

function shown(value) {
  return `${value.toLocaleString(document.documentElement.lang)}×`;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
