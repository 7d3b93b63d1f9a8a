// The few words that the page's script says, from the catalogue of the page's language.

const words = document.getElementById("words").dataset;

export function word(name, value) {
  return value === undefined ? words[name] : words[name].replace("%", value);
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
