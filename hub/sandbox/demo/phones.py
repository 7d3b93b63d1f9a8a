"""The phones of the sandbox as its phone page has them, over HTTP: the simulators live in a process of their own."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx

from hub.sandbox.acts import Album, Block, Doing, Press, Send, Start, Story, Write
from hub.sandbox.demo.basics import DemoFailed, words
from hub.sandbox.messengers import PhoneLine

DELIVERY_SECONDS: Final = 20.0
TELEGRAM: Final = "telegram"
SIGNAL: Final = "signal"


@dataclass(frozen=True, slots=True)
class Person:
    """A customer: `id` names them at the simulator, `address` is what the business gets to know."""

    id: str
    name: str
    address: str


class Messenger:
    """One messenger with the account that its simulator has from its start."""

    def __init__(self, http: httpx.AsyncClient, connector: str, label: str, account: str) -> None:
        self.connector = connector
        self.label = label
        self._http = http
        self._account = account
        self._base = f"/phone/{connector}/{account}"

    async def settings(self) -> dict[str, Any]:
        """What a business types into the set-up form."""
        settings: dict[str, Any] = await self._ask("GET", f"/phone/{self.connector}/settings")
        return settings

    async def point_to(self, url: str) -> None:
        await self._ask("POST", f"/phone/{self.connector}/hook", {"url": url})

    async def people(self) -> list[Person]:
        return [_person(one) for one in await self._ask("GET", f"{self._base}/people")]

    async def introduce(self, story: Story) -> Person:
        """The customer of a story has a phone; on Telegram also a language and a user name."""
        if self.connector != TELEGRAM:
            known = next((one for one in await self.people() if one.name == story.name), None)
            return known or await self.add_person(story.name, story.address)
        names = {"first_name": story.first_name, "last_name": story.last_name or None, "username": story.username}
        number = {"id": int(story.address), "language_code": story.language}
        await self._ask("POST", "/control/people", number | names)
        return Person(story.address, story.name, story.address)

    async def add_person(self, name: str, address: str = "") -> Person:
        return _person(await self._ask("POST", f"{self._base}/people", {"name": name, "address": address}))

    async def restore(self, person: Person, lines: Sequence[PhoneLine]) -> None:
        """Give a chat its past, unless something was said in it already."""
        if not (await self._ask("GET", f"{self._base}/chat", query={"person": person.id}))["lines"]:
            told = [asdict(line) | {"at": line.at.isoformat()} for line in lines]
            await self._ask("PUT", f"{self._base}/chat", {"person": person.id, "lines": told})

    async def do(self, person: Person, step: Doing) -> None:
        """Something a customer does; `delivered` tells when the hub has got to know it."""
        match step:
            case Write():
                await self._act(person, "write", text=step.text)
            case Start():
                await self._act(person, "write", text=f"/start {step.payload}".strip())
            case Send() if self.connector == TELEGRAM:
                await self._say(person, {"sample": step.sample, "caption": step.caption})
            case Send():
                await self._act(person, "write", sample=step.sample, text=step.caption)
            case Album():
                album = [{"sample": name} for name in step.samples]
                album[0]["caption"] = step.caption
                await self._say(person, {"album": album})
            case Press():
                await self._press(person, step)
            case Block():
                await self._act(person, "block", is_blocked=True)

    async def delivered(self) -> None:
        """Until no webhook waits. Raises DemoFailed."""
        end = time.monotonic() + DELIVERY_SECONDS
        while (await self._ask("GET", f"/phone/{self.connector}/deliveries"))["waiting"]:
            if time.monotonic() > end:
                raise DemoFailed(words()("sandbox.demo.undelivered", messenger=self.label))
            await asyncio.sleep(0.002)

    async def set_fault(self, fault: dict[str, Any]) -> None:
        await self._ask("PUT", f"/phone/{self.connector}/faults", fault)

    async def _act(self, person: Person, act: str, **body: Any) -> None:
        await self._ask("POST", f"{self._base}/{act}", {"person": person.id, **body})

    async def _say(self, person: Person, content: dict[str, Any]) -> None:
        """What only Telegram has."""
        await self._ask("POST", f"/control/bots/{self._account}/chats/{person.id}/messages", content)

    async def _press(self, person: Person, step: Press) -> None:
        """Another program of the shop asks through the same bot, and the person presses one of its buttons."""
        token = (await self.settings())["bot_token"]
        keys = [{"text": text, "callback_data": f"reminder:{number}"} for number, text in enumerate(step.buttons)]
        asked = {"chat_id": int(person.id), "text": step.question, "reply_markup": {"inline_keyboard": [keys]}}
        sent = await self._ask("POST", f"/telegram/bot{token}/sendMessage", asked)
        button = f"reminder:{step.buttons.index(step.pressed)}"
        await self._act(person, "press", line=str(sent["result"]["message_id"]), button=button)

    async def _ask(self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None) -> Any:
        answer = await self._http.request(method, path, json=body, params=query)
        answer.raise_for_status()
        return answer.json()


def _person(shown: dict[str, str]) -> Person:
    return Person(shown["id"], shown["name"], shown["address"])


async def find_messengers(http: httpx.AsyncClient) -> list[Messenger]:
    """All with an account. Raises httpx.TransportError while the sandbox does not answer."""
    answer = (await http.get("/phone")).raise_for_status()
    return [Messenger(http, one["connector"], one["label"], one["accounts"][0]["id"]) for one in answer.json() if one["accounts"]]
