// What the person does outside the chat with the bot: in a group, a channel, and with a business account.

import * as control from "./control.js";
import { words } from "./parts.js";

const GROUP = -1001987654321;
const CHANNEL = -1001987654322;
const CONNECTION = "bc_Xk29aLq0";

const group = `groups/${GROUP}`;
const business = (person) => `business/${CONNECTION}/chats/${person}`;

async function meet(bot, person, id, type) {
  await control.elsewhere(bot, "groups", { id, type, title: words[`place_${type}`], person });
}

async function say(bot, person) {
  await meet(bot, person, GROUP, "supergroup");
  return control.elsewhere(bot, `${group}/messages`, { person, text: words.say_group });
}

async function connect(bot, owner) {
  await control.elsewhere(bot, "business", { id: CONNECTION, owner });
}

const sayBusiness = (bot, person, more = {}) =>
  control.elsewhere(bot, `${business(person)}/messages`, { text: words.say_business, ...more });

export const DEEDS = {
  group: say,
  async channel(bot, person) {
    await meet(bot, person, CHANNEL, "channel");
    await control.elsewhere(bot, `groups/${CHANNEL}/messages`, { person, text: words.say_channel });
  },
  async reaction(bot, person) {
    const { message_id } = await say(bot, person);
    await control.elsewhere(bot, `${group}/reactions`, { person, message_id, emoji: "👍" });
  },
  connect,
  async business(bot, person) {
    await connect(bot, person);
    await sayBusiness(bot, person);
  },
  async owner(bot, person) {
    await connect(bot, person);
    await sayBusiness(bot, person, { by_owner: true });
  },
  async business_edit(bot, person) {
    await connect(bot, person);
    const { message_id } = await sayBusiness(bot, person);
    await control.elsewhere(bot, `${business(person)}/messages/${message_id}`, { text: words.say_business_edited }, "PATCH");
  },
  async business_delete(bot, person) {
    await connect(bot, person);
    const { message_id } = await sayBusiness(bot, person);
    await control.elsewhere(bot, `${business(person)}/delete`, { message_ids: [message_id] });
  },
};
