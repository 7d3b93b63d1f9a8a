// Requests to the sandbox: what every messenger has, the same for all (hub/sandbox/phones.py).

export class Refused extends Error {}

async function ask(method, path, body, type = "application/json") {
  const options = { method, headers: { accept: "application/json" } };
  if (body !== undefined) {
    options.headers["content-type"] = type;
    options.body = type === "application/json" ? JSON.stringify(body) : body;
  }
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Refused(typeof answer.detail === "string" ? answer.detail : String(response.status));
  return answer;
}

// `here` names the place: {connector, account, person}.
const at = ({ connector, account }) => `/phone/${connector}/${encodeURIComponent(account)}`;

export const messengers = () => ask("GET", "/phone");
export const deliveries = ({ connector }) => ask("GET", `/phone/${connector}/deliveries`);
export const setFault = ({ connector }, fault) => ask("PUT", `/phone/${connector}/faults`, fault);
export const people = (here) => ask("GET", `${at(here)}/people`);
export const addPerson = (here, name) => ask("POST", `${at(here)}/people`, { name });
export const chat = (here) => ask("GET", `${at(here)}/chat?${new URLSearchParams({ person: here.person })}`);
export const act = (here, what, body = {}) => ask("POST", `${at(here)}/${what}`, { person: here.person, ...body });
export const fileAddress = (here, id) => `${at(here)}/file?${new URLSearchParams({ id })}`;

export function sendFile(here, file, kind, more = {}) {
  const query = new URLSearchParams({ person: here.person, kind, name: file.name, mime: file.type, ...more });
  return ask("POST", `${at(here)}/file?${query}`, file, "application/octet-stream");
}
