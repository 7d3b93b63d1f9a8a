// Requests to the sandbox's control API.

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

const ofBot = (bot) => `/control/bots/${bot}`;
const chat = (bot, person) => `${ofBot(bot)}/chats/${person}`;

export const overview = () => ask("GET", "/control");
export const seeChat = (bot, person) => ask("GET", chat(bot, person));
export const createPerson = (names) => ask("POST", "/control/people", names);
export const write = (bot, person, what) => ask("POST", `${chat(bot, person)}/messages`, what);
export const edit = (bot, person, message, what) => ask("PATCH", `${chat(bot, person)}/messages/${message}`, what);
export const act = (bot, person, what, body = {}) => ask("POST", `${chat(bot, person)}/${what}`, body);
export const elsewhere = (bot, where, body, method = "POST") => ask(method, `${ofBot(bot)}/${where}`, body);
export const setFault = (bot, fault) => ask("PUT", `${ofBot(bot)}/faults`, fault);
export const fileAddress = (bot, id) => `${ofBot(bot)}/files/${encodeURIComponent(id)}`;

// The bytes of a file; fields of a message that `write` takes as content.
export function upload(bot, kind, file) {
  const query = new URLSearchParams({ kind, name: file.name, media_type: file.type });
  return ask("POST", `${ofBot(bot)}/files?${query}`, file, "application/octet-stream");
}
