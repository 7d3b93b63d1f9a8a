"""Who a message is from or for: a phone number, a business-scoped user id (BSUID), or both (provider file, 4.1)."""

import re
from typing import Final

from hub.connectors.events import Sender
from hub.connectors.whatsapp.reading import Json, a_text, an_object, objects

PHONE: Final = re.compile(r"\+?([0-9]{5,20})")
BSUID: Final = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,140}")
"""Two letters of a country, a dot, up to 128 letters and digits; those of a parent portfolio have `.ENT.` in them."""


def a_phone(value: object, name: str) -> str:
    """A field that is a phone number, in digits; a BSUID that stands there is none."""
    found = PHONE.fullmatch(a_text(value, name).strip())
    return found[1] if found else ""


def a_bsuid(value: object, *names: str) -> str:
    """The first of these fields that is a BSUID."""
    return next((found for name in names if BSUID.fullmatch(found := a_text(value, name).strip())), "")


class Contacts:
    """The people a payload names. Their order need not be that of the messages: they are found by number or id."""

    def __init__(self, value: Json) -> None:
        self._by_address: dict[str, Json] = {}
        for contact in objects(value, "contacts"):
            for address in (a_phone(contact, "wa_id"), a_bsuid(contact, "user_id", "wa_id")):
                if address:
                    self._by_address.setdefault(address, contact)

    def person(self, phone: str, bsuid: str) -> Sender | None:
        """The person with this number or id, with what the payload says of them; None without either."""
        contact = self._by_address.get(phone) or self._by_address.get(bsuid) or {}
        return a_person(phone or a_phone(contact, "wa_id"), bsuid or a_bsuid(contact, "user_id", "wa_id"), contact)


def a_person(phone: str, bsuid: str, contact: Json | None = None) -> Sender | None:
    """The number is the address where there is one, and the id leads to the same person; None without either."""
    address = phone or bsuid
    if not address:
        return None
    profile = an_object(contact, "profile")
    return Sender(
        provider_user_id=address,
        display_name=a_text(profile, "name"),
        username=a_text(profile, "username").removeprefix("@"),
        phone=f"+{phone}" if phone else "",
        aliases=(bsuid,) if phone and bsuid else (),
    )
