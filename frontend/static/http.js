// Requests of the page to its own hub. Everything is JSON here; the pages themselves are asked for by the browser.

export class Offline extends Error {}

export class Refused extends Error {
  constructor(status, body) {
    super(body.text || String(status));
    this.status = status;
    this.body = body;
  }
}

// GET, or POST when there is a form. Throws Offline when nothing was answered, Refused for an error in words. When the person may
// not look any more, the page is loaded anew and the hub says what now.
export async function ask(url, form = null) {
  const headers = { accept: "application/json" };
  if (form) headers["x-csrf-token"] = document.querySelector("meta[name=csrf]").content;
  let response;
  let body;
  try {
    response = await fetch(url, { method: form ? "POST" : "GET", headers, body: form, redirect: "manual" });
    body = response.status === 204 ? {} : await response.json();
  } catch {
    if (response && response.status >= 400) throw new Refused(response.status, {});
    throw new Offline();
  }
  if (response.status === 401) {
    location.reload();
    return new Promise(() => {});
  }
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}
