"""The app, the business's account, and people with their chats."""

import secrets
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hub.core import clock
from hub.core.errors import InvalidInput, NotFound
from hub.sandbox.messengers import PhoneFile, PhoneLine, PhonePerson

OWN: Final = "1700000000000000001"
USERNAME: Final = "radwerk_lindau"
API_KEY, API_SECRET, BEARER = "sandbox-api-key-of-x", "sandbox-api-secret-of-x", "sandbox-bearer-token-of-x"
CLIENT_ID, CLIENT_SECRET = "sandbox-client-id", "sandbox-client-secret"
USER_TOKEN, USER_SECRET = "sandbox-user-token", "sandbox-user-secret"
"""Consent in its older form, for clients that sign."""
PEOPLE: Final = (("1700000000000000201", "Friederike Lang", "fritzi_lang"), ("1700000000000000202", "Deniz Kaya", "deniz_kaya"))
TOKEN_SECONDS: Final = 7200
SNOWFLAKE_EPOCH: Final = 1288834974657


@dataclass(slots=True)
class Chat:
    """One person's chat with the business. `is_closed`: they take no messages of it."""

    person: PhonePerson
    username: str
    lines: list[PhoneLine] = field(default_factory=list)
    is_closed: bool = False

    def change(self, number: str, **what: Any) -> None:
        """Replace a line; NotFound."""
        for place, line in enumerate(self.lines):
            if line.id == number:
                self.lines[place] = replace(line, **what)
                return
        raise NotFound("no such message")


class World:
    def __init__(self) -> None:
        self.chats: dict[str, Chat] = {}
        self.files: dict[str, tuple[PhoneFile, bytes]] = {}
        """By the last part of their address."""
        self.uploads: dict[str, tuple[PhoneFile, bytes]] = {}
        """Of the business, by their id."""
        self.access_tokens: set[str] = set()
        self.refresh_token = "sandbox-refresh-token-of-x"
        self._sequence = 0
        for number, name, username in PEOPLE:
            self.chats[number] = Chat(PhonePerson(id=number, name=name, address=f"@{username}"), username)

    def new_tokens(self) -> tuple[str, str]:
        """An access token, and the refresh token that takes the place of the one used."""
        access, self.refresh_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.access_tokens.add(access)
        return access, self.refresh_token

    def add(self, name: str, address: str) -> PhonePerson:
        """`address` is a name with or without its @. Raises InvalidInput."""
        username = address.strip().removeprefix("@") or f"gast_{len(self.chats)}"
        if not username.isascii() or not username.replace("_", "").isalnum() or len(username) > 15:
            raise InvalidInput("a name of up to 15 letters, digits and _", field="address")
        chat = next((chat for chat in self.chats.values() if chat.username == username), None)
        number = chat.person.id if chat else str(int(PEOPLE[-1][0]) + len(self.chats))
        person = PhonePerson(id=number, name=name, address=f"@{username}")
        if chat:
            chat.person = person
        else:
            self.chats[number] = Chat(person, username)
        return person

    def chat(self, number: str) -> Chat:
        found = self.chats.get(number)
        if found is None:
            raise NotFound("no such person")
        return found

    def next_id(self) -> str:
        """A snowflake: milliseconds and a running number."""
        self._sequence += 1
        milliseconds = int(clock.now().timestamp() * 1000) - SNOWFLAKE_EPOCH
        return str(milliseconds << 22 | self._sequence & 0x3FFFFF)

    def put(self, chat: Chat, **what: Any) -> PhoneLine:
        line = PhoneLine(**{"id": self.next_id(), "at": clock.now(), **what})
        chat.lines.append(line)
        return line

    def users(self, chat: Chat) -> dict[str, Any]:
        """Both ends as the Activity API shows them."""
        person = {"id": chat.person.id, "username": chat.username, "name": chat.person.name}
        own = {"id": OWN, "username": USERNAME, "name": "Radwerk Lindau"}
        return {chat.person.id: {"data": person}, OWN: {"data": own}}
