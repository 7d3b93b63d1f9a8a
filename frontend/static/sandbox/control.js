// Requests to the sandbox's control API.

export class Refused extends Error {}

async function ask(method, path, body) {
  const options = { method, headers: { accept: "application/json" } };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Refused(typeof answer.detail === "string" ? answer.detail : String(response.status));
  return answer;
}

const chat = (bot, person) => `/control/bots/${bot}/chats/${person}`;

export const overview = () => ask("GET", "/control");
export const seeChat = (bot, person) => ask("GET", chat(bot, person));
export const createPerson = (names) => ask("POST", "/control/people", names);
export const write = (bot, person, what) => ask("POST", `${chat(bot, person)}/messages`, what);
export const edit = (bot, person, message, text) => ask("PATCH", `${chat(bot, person)}/messages/${message}`, { text });
export const act = (bot, person, what, body = {}) => ask("POST", `${chat(bot, person)}/${what}`, body);
export const setFault = (bot, fault) => ask("PUT", `/control/bots/${bot}/faults`, fault);
