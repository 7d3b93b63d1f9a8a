// Files on their way into a reply: checked against what the messenger takes, uploaded at once, removable until they are sent.

import { ask, Offline } from "./http.js";
import { number, word } from "./words.js";

export class Uploads {
  #base;
  #conversation;
  #composer;
  #say;
  #changed;
  #all = []; // {node, id, name, request}

  // `say(text)` shows what is wrong with a file, `changed()` is told when one comes, goes or is ready.
  constructor(base, conversation, composer, say, changed) {
    this.#base = base;
    this.#conversation = conversation;
    this.#composer = composer;
    this.#say = say;
    this.#changed = changed;
  }

  get #list() {
    return document.getElementById("files");
  }
  get count() {
    return this.#all.length;
  }
  get busy() {
    return this.#all.filter((one) => !one.id).length;
  }
  get ids() {
    return this.#all.map((one) => one.id);
  }
  get names() {
    return this.#all.map((one) => one.name);
  }

  add(files) {
    const wrong = [];
    for (const file of files) {
      const why = this.#check(file);
      if (why) wrong.push(why);
      else this.#upload(file);
    }
    this.#say(wrong.join(" "));
  }

  // Hand them over to a message that is sent; `put` brings them back when that failed.
  take() {
    const taken = this.#all;
    this.#all = [];
    this.#draw();
    return taken;
  }

  put(taken) {
    this.#all = [...taken, ...this.#all];
    this.#draw();
  }

  // The messenger's rule for this kind of file; what has none, or does not fit, goes as a document where that is possible.
  #check(file) {
    const rules = JSON.parse(this.#composer().dataset.media);
    const { messenger } = this.#composer().dataset;
    if (!file.size) return word("uploadEmpty", file.name);
    const kind = file.type === "image/gif" ? "animation" : file.type.split("/")[0];
    const fitting = [rules[kind], rules.document].filter((rule) => rule && (!rule.types.length || rule.types.includes(file.type)));
    if (!fitting.length) return word("wrongType", file.name, messenger);
    const most = Math.max(...fitting.map((rule) => rule.bytes));
    return file.size > most ? word("tooLarge", file.name, bytes(most), messenger) : "";
  }

  #upload(file) {
    const node = document.createElement("li");
    node.innerHTML = `<span class="small"></span><span class="grow stack s0"><span class="xs cut"></span><progress max="1" value="0"></progress></span>`;
    node.querySelector(".xs").textContent = file.name;
    node.querySelector("progress").setAttribute("aria-label", file.name);
    const one = { node, id: "", name: file.name, request: new XMLHttpRequest() };
    node.append(this.#remover(one));
    node.querySelector(".small").append(icon({ image: "image", video: "play", audio: "mic" }[file.type.split("/")[0]] ?? "file"));
    this.#all.push(one);
    this.#draw();
    const form = new FormData();
    form.append("file", file);
    const { request } = one;
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) node.querySelector("progress").value = event.loaded / event.total;
    });
    request.addEventListener("load", () => this.#arrived(one));
    request.addEventListener("error", () => this.#lost(one, word("uploadLost", one.name)));
    request.open("POST", `${this.#base}/conversations/${this.#conversation}/files`);
    request.setRequestHeader("accept", "application/json");
    request.setRequestHeader("x-csrf-token", document.querySelector("meta[name=csrf]").content);
    request.responseType = "json";
    request.send(form);
  }

  #arrived(one) {
    const { status, response } = one.request;
    if (status === 401) location.reload();
    else if (status >= 300 || !response?.id) this.#lost(one, response?.text || word("uploadLost", one.name));
    else {
      one.id = response.id;
      one.name = response.name;
      one.node.querySelector("progress").remove();
      one.node.querySelector(".xs").textContent = response.name;
      if (response.thumb) {
        const picture = document.createElement("img");
        picture.src = response.thumb;
        picture.alt = "";
        one.node.querySelector(".small").replaceChildren(picture);
      }
      this.#changed();
    }
  }

  #lost(one, text) {
    this.#all = this.#all.filter((other) => other !== one);
    this.#say(text);
    this.#draw();
  }

  #remover(one) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn bare s sq";
    button.setAttribute("aria-label", word("remove", one.name));
    button.append(icon("x"));
    button.addEventListener("click", () => this.#remove(one));
    return button;
  }

  async #remove(one) {
    this.#all = this.#all.filter((other) => other !== one);
    this.#draw();
    if (!one.id) {
      one.request.abort();
      return;
    }
    try {
      await ask(`${this.#base}/files/${one.id}/remove`, new URLSearchParams());
    } catch (error) {
      if (!(error instanceof Offline)) this.#say(error.message); // unsent files go by themselves in the end
    }
  }

  #draw() {
    if (this.#list) {
      this.#list.replaceChildren(...this.#all.map((one) => one.node));
      this.#list.hidden = !this.#all.length;
    }
    this.#changed();
  }
}

export function icon(name) {
  const node = document.querySelector("svg.i").cloneNode(true);
  node.setAttribute("class", "i");
  const use = node.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${name}`));
  return node;
}

function bytes(size) {
  return size >= 1e6 ? `${number(Math.round(size / 1e5) / 10)} MB` : `${number(Math.round(size / 1000))} kB`;
}
