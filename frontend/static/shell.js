import "./documents.js";

// Every page: menus close by Escape and by a click beside them; leaving takes drafts along; the rail says when webhooks could not be
// read, and with a strip above the page when a channel does not work.

addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.pop[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.pop[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

addEventListener("submit", (event) => {
  if (event.target.hasAttribute("data-leave")) sessionStorage.clear();
});

const mark = document.querySelector("[data-dead]");

async function count() {
  let dead = 0;
  try {
    ({ dead } = await (await fetch(mark.dataset.dead, { headers: { accept: "application/json" } })).json());
  } catch {
    return; // asked again in a minute
  }
  mark.hidden = !dead;
  mark.firstElementChild.textContent = mark.dataset[dead === 1 ? "one" : "other"].replace("%", dead);
}

if (mark) {
  count();
  setInterval(count, 60_000);
}

const red = document.querySelector("[data-red]");

async function look() {
  let found;
  try {
    found = await (await fetch(red.dataset.red, { headers: { accept: "application/json" } })).json();
  } catch {
    return; // asked again in a minute
  }
  red.hidden = !found.count;
  red.firstElementChild.textContent = found.mark ?? "";
  const strip = document.getElementById("red");
  if (!strip) return;
  strip.hidden = !found.count;
  if (!found.count) return;
  strip.querySelector("span").textContent = found.text;
  const link = strip.querySelector("a");
  link.textContent = found.link;
  link.href = found.href;
}

if (red) {
  look();
  setInterval(look, 60_000);
  addEventListener("channel-changed", look);
}
