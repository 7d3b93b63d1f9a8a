// What changes in the organisation, each change once and in order (I11). One stream per browser: the tab that holds the lock has it
// and tells the others. Every tab keeps its own cursor; a gap in the numbers, of whatever cause, is fetched by number. Whispers
// (who looks, who types) have no number: they are passed on as they come. Where something on the way holds the stream back (a proxy
// that buffers), the tab that leads asks for changes instead, and tries the stream again now and then.

import { ask, Offline } from "./http.js";

const SILENCE = 40_000; // the hub beats every 15 s
const PATIENCE = 4_000; // a stream that is let through beats at once
const POLL = 1_500; // where locks or channels do not exist (pages without https), or no stream comes through
const TRY_STREAM = 60_000;
const WAITS = [300, 1_000, 2_000, 4_000, 8_000, 15_000];

export class Live {
  #base;
  #cursor;
  #wanted;
  #change;
  #whisper;
  #show;
  #state = "connecting";
  #heard = 0;
  #catching = null;
  #source = null;
  #failures = 0;
  #retry = 0;
  #channel = null;
  #leads = false;
  #patience = 0;
  #polls = false;

  // `change(entry)` for each change, `whisper(data)` for what holds only now; `show(state)`: live, catching, offline.
  constructor(base, cursor, { change, whisper, show }) {
    this.#base = base;
    this.#cursor = this.#wanted = cursor;
    this.#change = change;
    this.#whisper = whisper;
    this.#show = show;
  }

  start() {
    addEventListener("offline", () => this.#lost());
    addEventListener("online", () => this.#again());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && performance.now() - this.#heard > SILENCE) this.#again();
    });
    if (!navigator.locks || !window.BroadcastChannel) {
      this.#startPolling();
      return;
    }
    const name = `hub:${this.#base}`;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#told(data);
    this.#channel.postMessage({ kind: "hello" });
    setInterval(() => {
      if (performance.now() - this.#heard < SILENCE || this.#state === "offline") return;
      if (this.#leads && this.#source) this.#giveUp(this.#source);
      else this.#again();
    }, 5_000);
    navigator.locks.request(name, () => {
      this.#leads = true;
      this.#connect();
      return new Promise(() => {}); // held until the tab goes
    });
  }

  #told(message) {
    if (message.kind === "hello") {
      if (this.#leads && this.#state === "live") this.#tell({ kind: "beat", seq: this.#cursor });
    } else if (message.kind === "beat") this.#beat(message.seq);
    else if (message.kind === "entry") this.#receive(message.entry);
    else if (message.kind === "whisper") this.#whisper(message.data);
    else if (message.kind === "lost") this.#set("offline");
  }

  #tell(message) {
    this.#channel?.postMessage(message);
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#source?.close();
    const source = new EventSource(`${this.#base}/stream?after=${this.#cursor}`);
    this.#source = source;
    this.#heard = performance.now();
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#giveUp(source), PATIENCE);
    source.addEventListener("beat", ({ data }) => {
      clearTimeout(this.#patience);
      this.#polls = false;
      this.#failures = 0;
      this.#beat(Number(data));
      this.#tell({ kind: "beat", seq: Number(data) });
    });
    source.addEventListener("whisper", ({ data: text }) => {
      const data = JSON.parse(text);
      this.#whisper(data);
      this.#tell({ kind: "whisper", data });
    });
    source.onmessage = ({ data }) => {
      const entry = JSON.parse(data);
      this.#receive(entry);
      this.#tell({ kind: "entry", entry });
    };
    source.onerror = () => {
      if (source !== this.#source) return;
      clearTimeout(this.#patience);
      source.close();
      this.#retry = setTimeout(() => this.#again(), WAITS[Math.min(this.#failures++, WAITS.length - 1)] * (0.5 + Math.random()));
      if (this.#failures > 1) this.#lost();
    };
  }

  // Nothing comes through this stream, and it did not fail either.
  #giveUp(source) {
    if (source !== this.#source) return;
    source.close();
    this.#source = null;
    this.#startPolling();
    this.#retry = setTimeout(() => this.#connect(), TRY_STREAM);
  }

  #lost() {
    clearTimeout(this.#patience);
    this.#source?.close();
    this.#set("offline");
    this.#tell({ kind: "lost" });
  }

  // After a break: first what was missed, then the stream again.
  async #again() {
    clearTimeout(this.#retry);
    this.#heard = performance.now();
    if (await this.#catchUp(true)) {
      if (this.#leads) this.#connect();
      else this.#set("live");
    } else if (this.#leads) {
      this.#retry = setTimeout(() => this.#again(), WAITS[Math.min(this.#failures++, WAITS.length - 1)]);
    }
  }

  #beat(seq) {
    this.#heard = performance.now();
    if (seq > this.#cursor) this.#reach(seq);
    else if (!this.#catching) this.#set("live");
  }

  #receive(entry) {
    this.#heard = performance.now();
    if (entry.kind === "reload") location.reload();
    else if (entry.seq === this.#cursor + 1 && !this.#catching) this.#take(entry);
    else if (entry.seq > this.#cursor) this.#reach(entry.seq);
  }

  #reach(seq) {
    this.#wanted = Math.max(this.#wanted, seq);
    this.#catchUp(false);
  }

  #take(entry) {
    this.#cursor = entry.seq;
    this.#change(entry);
  }

  // Fetch by number until nothing is missing; whether that worked. Calls while it runs join it.
  #catchUp(look) {
    this.#catching ??= this.#fetchMissing(look).finally(() => {
      this.#catching = null;
    });
    return this.#catching;
  }

  async #fetchMissing(look) {
    let more = look;
    try {
      while (more || this.#cursor < this.#wanted) {
        if (look) this.#set("catching");
        const { reload, changes } = await ask(`${this.#base}/changes?after=${this.#cursor}`);
        if (reload) location.reload();
        for (const entry of changes) if (entry.seq > this.#cursor) this.#take(entry);
        more = changes.length > 0;
        if (!more) this.#wanted = this.#cursor;
      }
    } catch (error) {
      if (error instanceof Offline) this.#set("offline");
      return false;
    }
    if (!look) this.#set("live");
    return true;
  }

  #startPolling() {
    if (this.#polls) return;
    this.#polls = true;
    this.#poll();
  }

  async #poll() {
    if (!this.#polls) return;
    this.#wanted = Math.max(this.#wanted, this.#cursor + 1);
    if (await this.#catchUp(false)) {
      this.#heard = performance.now();
      this.#tell({ kind: "beat", seq: this.#cursor });
    }
    setTimeout(() => this.#poll(), POLL);
  }

  #set(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#show(state);
  }
}
