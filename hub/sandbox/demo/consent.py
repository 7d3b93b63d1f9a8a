"""What people agree to in the sample organisation: two purposes, and a road to the newsletter that can be tried on the phone."""

import contextlib
from collections.abc import Collection
from typing import Final

from hub.channels.flows import open_flow
from hub.consent import purposes
from hub.consent.agreeing import texts
from hub.consent.agreeing.flows import FlowTerms
from hub.consent.agreeing.roads import Attested, attest
from hub.consent.gate import SendBlocked
from hub.consent.purposes import Wording
from hub.core import clock
from hub.core.i18n import LOCALES
from hub.inbox.sending import outbound
from hub.organisations.actor import Access
from hub.runtime import Runtime
from hub.sandbox import stories
from hub.sandbox.demo.basics import Place

KINDS: Final = {"service": "service", "newsletter": "marketing"}
WORDS: Final = {"de": "Radpost", "en": "Bikes"}
"""What a customer writes to get the newsletter."""
ROADS: Final = {"telegram": False, "whatsapp": True, "sms": False, "threema": False}
"""Messengers with a road, and whether it asks before it believes."""


ON_PAPER: Final = ("Lena Vogt", "Mia Lorenz", "Tobias Brandl", "Aylin Yıldırım")
"""Customers who agreed to the newsletter in the shop."""
HEARD: Final = "Hat im Laden an der Kasse gefragt, ob wir Neuigkeiten schicken."
NEWS: Final = ("Markus Schädler", "Gerda Ammann")
"""Who is written to without a consent, and after a stop: the gate refuses both, and says why."""


TEXT: Final = "Herbstaktion: 10 % auf alle Lastenräder, bis Samstag im Laden."


async def show_consent(runtime: Runtime, owner: Access, place: Place) -> None:
    """Let some customers agree in the shop, and try a newsletter to two who did not: for a look at register and decisions. Done
    once."""
    program = outbound.Program(owner.organisation_id)
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        letter = await purposes.first_purpose(unit, "marketing")
        if letter is None or await unit.sql.fetchval("SELECT EXISTS (SELECT FROM gate_decision WHERE verdict = 'refuse')"):
            return
        rows = await unit.sql.fetch(
            """
            SELECT k.name, i.provider_user_id AS address, c.id AS conversation_id
            FROM identity i JOIN contact k ON k.organisation_id = i.organisation_id AND k.id = i.contact_id
            JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
            WHERE i.organisation_id = $1 AND i.channel_id = $2
            """,
            unit.tenant,
            place.channel_id,
        )
        for row in rows:
            if row["name"] in ON_PAPER:
                key = (place.connector, "", row["address"])
                said = Attested(
                    key=key,
                    purpose_id=letter,
                    kind="granted",
                    method="agent",
                    language="de",
                    at=clock.now(),
                    note=HEARD,
                    source="agent",
                )
                await attest(runtime, unit, owner, said)
    for row in rows:
        if row["name"] in NEWS:
            with contextlib.suppress(SendBlocked):
                await outbound.submit(
                    runtime,
                    program,
                    row["conversation_id"],
                    text=TEXT,
                    purpose_id=letter,
                    client_key="demo-news",
                )


async def set_up_consent(runtime: Runtime, owner: Access, places: Collection[Place]) -> None:
    """Define what the sample organisation writes to people for, and open its roads, unless somebody did so before."""
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        if await purposes.list_purposes(unit, with_archived=True):
            return
        made = {}
        for key, kind in KINDS.items():
            words = {language: Wording(*texts.proposal(language, key, stories.ORGANISATION)) for language in LOCALES}
            made[key] = await purposes.define_purpose(unit, owner, key=key, kind=kind, words=words)
        for place in places:
            if place.connector in ROADS:
                terms = FlowTerms(
                    channel_id=place.channel_id,
                    purpose_ids=[made["newsletter"]],
                    language="de",
                    double_opt_in=ROADS[place.connector],
                    keywords=WORDS,
                )
                await open_flow(runtime, unit, owner, terms)
