// A place to send: from numbers, from the address of a map, or from this device.

import { Offline } from "./http.js";
import { word } from "./words.js";

const PAIR = "(-?\\d{1,3}[.,]\\d+)";
// What maps' addresses and people write: @47.5,9.68 · q=47.5,9.68 · #map=16/47.5/9.68 · mlat=47.5&mlon=9.68 · 47.5, 9.68
const FORMS = [
  new RegExp(`[?&]mlat=${PAIR}&mlon=${PAIR}`),
  new RegExp(`!3d${PAIR}!4d${PAIR}`),
  new RegExp(`@${PAIR},${PAIR}`),
  new RegExp(`[?&](?:q|query|ll|center|destination|daddr)=${PAIR}(?:,|%2C)${PAIR}`),
  new RegExp(`#map=\\d+/${PAIR}/${PAIR}`),
  new RegExp(`^\\s*${PAIR}\\s*°?\\s*[NS]?\\s*[,;/ ]\\s*${PAIR}\\s*°?\\s*[EOW]?\\s*$`),
];

export function readPlace(text) {
  for (const form of FORMS) {
    const found = text.match(form);
    if (!found) continue;
    const [latitude, longitude] = found.slice(1).map((one) => Number(one.replace(",", ".")));
    if (Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180) return { latitude, longitude };
  }
  return null;
}

export class Place {
  #root;
  #send;

  constructor(root, send) {
    this.#root = root;
    this.#send = send;
    root.addEventListener("click", (event) => {
      if (event.target.closest("[data-tool=place]")) this.#open();
      else if (event.target.closest("#place [data-close]")) this.#dialog.close();
      else if (event.target.closest("#place [data-here]")) this.#here();
    });
    root.addEventListener("input", (event) => event.target.id === "place-paste" && this.#paste(event.target.value));
    root.addEventListener("submit", (event) => event.target.closest("#place") && this.#submit(event));
  }

  get #dialog() {
    return document.getElementById("place");
  }

  #open() {
    this.#dialog.querySelector("form").reset();
    this.#warn("");
    this.#dialog.showModal();
  }

  #warn(text) {
    const node = this.#dialog.querySelector("[data-wrong]");
    node.hidden = !text;
    node.querySelector("span").textContent = text;
  }

  #fill({ latitude, longitude }) {
    const lang = document.documentElement.lang;
    for (const [id, value] of [["place-lat", latitude], ["place-lon", longitude]]) {
      document.getElementById(id).value = value.toLocaleString(lang, { maximumFractionDigits: 6 });
    }
    this.#warn("");
  }

  #paste(text) {
    const found = readPlace(text);
    if (found) this.#fill(found);
    else this.#warn(text.trim() ? word("placeUnread") : "");
  }

  #here() {
    if (!navigator.geolocation) {
      this.#warn(word("placeDenied"));
      return;
    }
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => this.#fill(coords),
      () => this.#warn(word("placeDenied")),
      { enableHighAccuracy: true, timeout: 10_000 },
    );
  }

  async #submit(event) {
    event.preventDefault();
    const form = event.target;
    const button = form.querySelector("[type=submit]");
    const body = new URLSearchParams(new FormData(form));
    body.delete("client_key");
    button.disabled = true;
    try {
      await this.#send(body);
      this.#dialog.close();
    } catch (error) {
      this.#warn(error instanceof Offline ? word("away") : error.message);
    }
    button.disabled = false;
  }
}
