// The template that is chosen, as the customer will read it: its blanks are filled while they are typed, and its files are with the hub
// as soon as they are chosen.

import { ask, Offline } from "./http.js";
import { word } from "./words.js";

document.addEventListener("input", ({ target }) => {
  const form = target.closest(".pick > form");
  if (!form || target.name !== "parameters") return;
  const place = [...form.querySelectorAll("[name=parameters]")].indexOf(target);
  for (const node of form.querySelectorAll(`[data-blank="${place}"]`)) node.textContent = target.value || node.dataset.open;
});

document.addEventListener("change", ({ target }) => {
  if (target.matches(".pick [data-file]")) choose(target);
});

async function choose(field) {
  const { form } = field;
  const kept = field.nextElementSibling;
  const [file] = field.files;
  kept.value = "";
  field.setCustomValidity("");
  if (!file) return;
  const send = form.querySelector("button.main");
  const body = new FormData();
  body.append("file", file);
  send.disabled = true;
  try {
    const { id, kind, thumb } = await ask(form.action.replace(/template$/, "files"), body);
    if (field.files[0] !== file) return; // another one was chosen meanwhile
    if (kind !== field.dataset.sort) throw new Error(word("otherFile"));
    kept.value = id;
    show(form, Number(field.dataset.file), thumb);
  } catch (error) {
    field.setCustomValidity(error instanceof Offline ? word("uploadLost", file.name) : error.message);
    field.reportValidity();
  } finally {
    send.disabled = false;
  }
}

// The picture in its place: those of files stand in the order of their fields.
function show(form, place, thumb) {
  if (!thumb) return;
  const picture = document.createElement("img");
  picture.src = thumb;
  picture.alt = "";
  [...form.querySelectorAll(".above[data-kind=file]")][place].replaceChildren(picture);
}
