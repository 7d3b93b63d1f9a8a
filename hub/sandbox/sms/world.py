"""Phones and what stands on them. Numbers are `+` and digits."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hub.core import clock
from hub.core.errors import InvalidInput, NotFound
from hub.sandbox.messengers import PhoneLine, PhonePerson
from hub.sandbox.numbers import first_number

SENDER: Final = "+4915199000000"
KEY: Final = "Bearer sandbox-key-of-radwerk"
SECRET: Final = "sandbox-signing-secret-of-radwerk"
PEOPLE: Final = (("+4915110000001", "Anneliese Kramer"), ("+4915110000002", "Tarek Yılmaz"))


@dataclass(slots=True)
class Handset:
    """One person's phone. `has_stopped`: their number is on the gateway's stop list."""

    person: PhonePerson
    lines: list[PhoneLine] = field(default_factory=list)
    has_stopped: bool = False


class World:
    def __init__(self) -> None:
        self.handsets: dict[str, Handset] = {}
        self.balance = 1000
        """SMS that are paid for."""
        self._number = first_number()
        for address, name in PEOPLE:
            self.add(name, address)

    def add(self, name: str, address: str) -> PhonePerson:
        """Raises InvalidInput for what is no number."""
        number = address or f"+49151{20_000_000 + len(self.handsets)}"
        if not (number.startswith("+") and number[1:].isdigit() and 8 <= len(number) <= 16):
            raise InvalidInput("a number like +4915110000003", field="address")
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

    def next_id(self) -> str:
        self._number += 1
        return f"sms-{self._number}"

    def put(self, handset: Handset, text: str, *, is_theirs: bool, at: datetime | None = None) -> PhoneLine:
        line = PhoneLine(id=self.next_id(), at=at or clock.now(), is_theirs=is_theirs, text=text, state="" if is_theirs else "sent")
        handset.lines.append(line)
        return line
