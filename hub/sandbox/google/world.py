"""The agent, its key, and the phones."""

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.core import clock
from hub.core.errors import InvalidInput, NotFound
from hub.sandbox.messengers import PhoneFile, PhoneLine, PhonePerson
from hub.sandbox.numbers import first_number

AGENT: Final = "radwerk_lindau_s4nd_agent"
CLIENT_TOKEN: Final = "SANDBOXCLIENTTOKEN"
ACCOUNT: Final = "hub@radwerk-sandbox.example"
PEOPLE: Final = (("+4915110000021", "Gesine Albrecht"), ("+4915110000022", "Murat Aydın"))
TOKEN_SECONDS: Final = 3599


@dataclass(slots=True)
class Handset:
    """One phone. `has_rcs`: it takes RCS at all. `ids` are those of the agent's messages to it."""

    person: PhonePerson
    lines: list[PhoneLine] = field(default_factory=list)
    has_rcs: bool = True
    is_typing_until: float = 0.0

    def change(self, number: str, **what: Any) -> PhoneLine:
        """Replace a line; NotFound."""
        for place, line in enumerate(self.lines):
            if line.id == number:
                self.lines[place] = replace(line, **what)
                return self.lines[place]
        raise NotFound("no such message")


class World:
    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.tokens: set[str] = set()
        self.handsets: dict[str, Handset] = {}
        self.files: dict[str, tuple[PhoneFile, bytes]] = {}
        self.used_ids: set[str] = set()
        """Ids of the agent's messages and events together, over all phones (5)."""
        self._number = first_number()
        for address, name in PEOPLE:
            self.add(name, address)

    def service_account(self) -> str:
        """The JSON file that the console gives out."""
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return json.dumps({"type": "service_account", "client_email": ACCOUNT, "private_key_id": "k1", "private_key": private})

    def new_token(self) -> str:
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.tokens.add(token)
        return token

    def add(self, name: str, address: str) -> PhonePerson:
        """Raises InvalidInput for what is no number."""
        number = address or f"+49151{30_000_000 + len(self.handsets)}"
        if not (number.startswith("+") and number[1:].isdigit() and 8 <= len(number) <= 16):
            raise InvalidInput("a number like +4915110000023", field="address")
        person = PhonePerson(id=number, name=name, address=number)
        if number in self.handsets:
            self.handsets[number].person = person
        else:
            self.handsets[number] = Handset(person)
        return person

    def handset(self, number: str) -> Handset:
        found = self.handsets.get(number)
        if found is None:
            raise NotFound("no phone with this number")
        return found

    def next_id(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}{self._number:08}"

    def put(self, handset: Handset, **what: Any) -> PhoneLine:
        line = PhoneLine(**{"at": clock.now(), **what})
        handset.lines.append(line)
        return line
