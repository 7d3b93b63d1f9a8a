// The few words that the page's script says, from the catalogue of the page's language.

const words = Object.assign({}, ...[...document.querySelectorAll("#words, template.words")].map((node) => node.dataset));

export function word(name, ...values) {
  return values.length ? words[name].replace(/%/g, () => values.shift()) : words[name];
}

export function number(value) {
  return value.toLocaleString(document.documentElement.lang);
}

// The time of day in the zone of the page's other times.
export function clockTime() {
  const { lang } = document.documentElement;
  return new Date().toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: words.zone });
}

// A band that says what went wrong, for above a text field.
export function band(text) {
  const node = document.getElementById("band").content.firstElementChild.cloneNode(true);
  node.querySelector(".grow").textContent = text;
  return node;
}
