"""How Messenger and Instagram differ for who simulates them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from hub.sandbox.messengers import Act, PhonePerson


@dataclass(frozen=True, slots=True)
class Flavour:
    """`topic` is the webhooks' object. `mid` makes a message id of a number.

    longest_text   of a message, counted by `size`
    attachments    kinds of files that are taken, with the MIME types of each; empty: any
    fields         names of the subscription's fields where they are not Messenger's; empty: there is none
    closed         code, subcode and words for a message after the window
    reactions      reactions that are taken and the emoji they show; empty: any emoji
    """

    topic: Literal["page", "instagram"]
    connector: str
    account_id: str
    account_title: str
    account_name: str
    people: tuple[PhonePerson, ...]
    token: str
    mid: str
    longest_text: int
    size: Callable[[str], int]
    attachments: Mapping[str, frozenset[str]]
    fields: Mapping[str, str]
    closed: tuple[int, int, str]
    reactions: Mapping[str, str]
    can: frozenset[Act]
    extras: Mapping[str, str]
