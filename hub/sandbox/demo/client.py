"""The simulator as its phone page sees it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import httpx

from hub.sandbox import stories
from hub.sandbox.demo.basics import BOT_ID, DemoFailed, words

DELIVERY_SECONDS: Final = 20.0


class Simulator:
    """The control API of the simulator."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def has_bot(self) -> bool:
        """Whether the bot of the demo is there. Raises httpx.TransportError while the simulator does not answer."""
        answer = await self._ask("GET", "/control")
        return any(bot["id"] == BOT_ID for bot in answer["bots"])

    async def create_bot(self) -> None:
        bot = {"token": stories.BOT_TOKEN, "name": stories.ORGANISATION, "username": stories.BOT_USERNAME}
        await self._ask("POST", "/control/bots", bot)

    async def create_person(self, person: dict[str, Any]) -> None:
        await self._ask("POST", "/control/people", person)

    async def restore(self, person: int, messages: list[dict[str, Any]], is_blocked: bool) -> None:
        """Give a chat its past, unless something was said in it already."""
        chat = f"/control/bots/{BOT_ID}/chats/{person}"
        if not (await self._ask("GET", chat))["entries"]:
            await self._ask("PUT", chat, {"messages": messages, "is_blocked": is_blocked})

    async def press(self, person: int, question: str, buttons: Sequence[str], pressed: str) -> None:
        """The bot asks, and the person presses one of its buttons: `act` with what it takes."""
        keys = [{"text": text, "callback_data": f"reminder:{number}"} for number, text in enumerate(buttons)]
        asked = {"chat_id": person, "text": question, "reply_markup": {"inline_keyboard": [keys]}}
        sent = await self._ask("POST", f"/bot{stories.BOT_TOKEN}/sendMessage", asked)
        data = f"reminder:{buttons.index(pressed)}"
        await self.act(person, "press", {"message_id": sent["result"]["message_id"], "data": data})

    async def act(self, person: int, what: str, body: dict[str, Any]) -> None:
        """Something a person does, and until the hub has got to know it."""
        await self._ask("POST", f"/control/bots/{BOT_ID}/chats/{person}/{what}", body)
        end = time.monotonic() + DELIVERY_SECONDS
        while (await self._ask("GET", f"/control/bots/{BOT_ID}"))["webhook"]["pending_update_count"]:
            if time.monotonic() > end:
                raise DemoFailed(words()("sandbox.demo.undelivered"))
            await asyncio.sleep(0.002)

    async def set_fault(self, fault: dict[str, Any]) -> None:
        await self._ask("PUT", f"/control/bots/{BOT_ID}/faults", fault)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()
