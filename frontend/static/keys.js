// Plain keys of the inbox (look.md, 11). Dead while a field has the focus, with a modifier held, and behind an open dialog.

const FIELDS = "input, textarea, select, [contenteditable]";

// `acts` holds what each key does.
export function listen(acts) {
  const dialog = document.getElementById("keys");
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.(FIELDS) || document.querySelector("dialog[open]")) return;
    const act = event.key === "?" ? () => dialog.showModal() : event.shiftKey ? null : acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.querySelector("[data-keys]").addEventListener("click", () => dialog.showModal());
}

// Open a menu of the head and go into it.
export function openMenu(name) {
  const menu = document.querySelector(`#head [data-menu="${name}"]`);
  if (!menu) return;
  for (const other of document.querySelectorAll("details.pop[open]")) other.open = other === menu;
  menu.open = true;
  menu.querySelector(".menu button").focus();
}
