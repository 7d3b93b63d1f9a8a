// Every page: menus close by Escape and by a click beside them; leaving takes drafts along.

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
