"""What people agree to in the sample organisation: two purposes, and a road to the newsletter that can be tried on the phone."""

from collections.abc import Collection
from typing import Final

from hub.channels.flows import open_flow
from hub.consent import purposes, texts
from hub.consent.flows import FlowTerms
from hub.consent.purposes import Wording
from hub.core.i18n import LOCALES
from hub.organisations.actor import Access
from hub.runtime import Runtime
from hub.sandbox import stories
from hub.sandbox.demo.basics import Place

KINDS: Final = {"service": "service", "newsletter": "marketing"}
WORDS: Final = {"de": "Radpost", "en": "Bikes"}
"""What a customer writes to get the newsletter."""
ROADS: Final = {"telegram": False, "whatsapp": True, "sms": False, "threema": False}
"""Messengers with a road, and whether it asks before it believes."""


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
