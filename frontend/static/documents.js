// A document that a condition asks for is kept as soon as it is chosen; what else is typed into the form stays as it is.

import { ask, Refused } from "./http.js";

addEventListener("change", async (event) => {
  const field = event.target.closest("input[type=file][data-document]");
  if (!field?.files.length) return;
  const place = field.closest(".field");
  const said = document.getElementById(field.getAttribute("aria-describedby"));
  const form = new FormData();
  form.append("file", field.files[0]);
  field.disabled = true;
  try {
    const { name, href } = await ask(field.dataset.document, form);
    const kept = place.querySelector("[data-kept]");
    kept.replaceChildren(Object.assign(document.createElement("a"), { className: "lnk", href, textContent: name }));
    kept.hidden = false;
    tell(field, said, "");
  } catch (error) {
    tell(field, said, (error instanceof Refused && error.body.text) || field.dataset.lost);
  }
  field.value = "";
  field.disabled = false;
});

function tell(field, said, wrong) {
  said.className = wrong ? "err" : "hint";
  said.textContent = wrong;
  field.toggleAttribute("aria-invalid", Boolean(wrong));
}
