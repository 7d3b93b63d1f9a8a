"""The pages of the register: found, narrowed, one person with their history on a day, taken back, proved, handed out."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.consent import register
from hub.consent.chain import Change
from hub.consent.register import Wish
from hub.core import ids
from tests.consent.test_proof import ADDRESS, record, somebody, verify_proof
from tests.organisations.support import hire, signed_in
from tests.support import HubUnderTest

PERSON = "/o/radwerk/consent/person?messenger=telegram&address=5123456789"
WHO = {"messenger": "telegram", "scope": "", "address": "5123456789"}


async def test_the_register_and_one_person(hub: HubUnderTest) -> None:
    """R-224 on the page, R-223 by an agent; opening evidence and proofs are audited, and what is not ours is not found."""
    purpose = await somebody(hub)
    shown = ids.show("pur", purpose)
    agent = await signed_in(hub, await hire(hub, "agent"))
    everybody = await agent.page("/o/radwerk/consent")
    assert "Jörg Özdemir" in everybody and "other0" in everybody and "noch nicht geprüft" in everybody
    assert "other0" not in await agent.page("/o/radwerk/consent?q=özde")
    assert "Jörg" not in await agent.page(f"/o/radwerk/consent?purpose={shown}&state=withdrawn")
    assert "Niemand passt dazu" in await agent.page("/o/radwerk/consent?state=blocked")
    assert (await agent.open("/o/radwerk/consent?state=kaputt")).status_code == 422

    page = await agent.page(PERSON)
    assert "Ja, ich möchte die Radpost." in page and "Nr. 6" in page and "erteilt" in page
    assert "unbekannt" in await agent.page(f"{PERSON}&on=2026-11-23")
    assert await hub.value("SELECT count(*) FROM audit_entry WHERE action = 'consent.opened'") == 2
    await agent.page("/o/radwerk/consent/person?messenger=telegram&address=niemand", 404)

    answer = await agent.submit("/o/radwerk/consent/person/withdraw", WHO, purpose=shown, note="am Telefon")
    assert answer.status_code == 303
    after = await agent.page(answer.headers["location"])
    assert "widerrufen" in after and "am Telefon" in after and "Rolle agent" in after
    await agent.submit("/o/radwerk/consent/person/withdraw", WHO)
    assert await hub.value("SELECT choice FROM consent_state WHERE address = '5123456789'") == "opted_out"
    gone = await agent.submit("/o/radwerk/consent/person/withdraw", WHO, purpose=ids.show("pur", ids.new_id()))
    assert gone.status_code == 404

    for form, media in (("json", "application/json"), ("pdf", "application/pdf")):
        file = await agent.submit("/o/radwerk/consent/person/proof", WHO, form=form)
        assert (file.status_code, file.headers["content-type"]) == (200, media)
        assert "attachment" in file.headers["content-disposition"]
        if form == "json":
            assert verify_proof.check(json.loads(file.content))
    assert (await agent.open("/o/radwerk/consent/hand-out")).status_code == 403

    owner = await signed_in(hub)
    wanted = {"recipients": "5123456789\nfremd", "to": "Viber", "purpose": "Anfrage 4711", "messenger": ""}
    refused = await owner.submit("/o/radwerk/consent/hand-out", {**wanted, "purpose": ""})
    assert refused.status_code == 422 and "Bitte nennen Sie den Zweck" in refused.text and "fremd" in refused.text
    file = await owner.submit("/o/radwerk/consent/hand-out", wanted)
    assert (file.status_code, file.headers["content-type"]) == (200, "application/zip")
    assert "Nachweis ausgehändigt" in await owner.page(PERSON)


@pytest.mark.parametrize("seconds", [0, 3 * 86_400])
async def test_the_list_and_the_states_agree(hub: HubUnderTest, seconds: int) -> None:
    """The filter of the list is SQL, what it shows is `states.py`: for every order of what can be said they find the same."""
    purpose = await somebody(hub)
    changes: list[Change] = []
    kinds: tuple[Any, ...] = ("asked", "granted", "withdrawn", "opt_out")
    for number in range(64):
        for step in range(3):
            kind = kinds[number // 4**step % 4]
            changes.append(_said(kind, step, f"p{number:02}", purpose if kind != "opt_out" else None, hub))
    await record(hub, *changes)
    hub.clock.advance(seconds=seconds)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        for state in ("granted", "asked", "withdrawn", "unknown"):
            whole = await register.list_people(hub.runtime, unit, Wish(), ("", "", ""))
            rest = await register.list_people(hub.runtime, unit, Wish(), whole.after or ("", "", ""))
            shown = {row.key for row in (*whole.rows, *rest.rows) if row.grants.get(purpose, "unknown") == state}
            found = await register.list_people(hub.runtime, unit, Wish(purpose_id=purpose, state=state), ("", "", ""))
            assert (found.count, {row.key for row in found.rows} <= shown) == (len(shown), True), state
            assert (ADDRESS in shown) == (state == "granted")


def _said(kind: Any, step: int, address: str, purpose: UUID | None, hub: HubUnderTest) -> Change:
    at = hub.clock() + timedelta(seconds=step)
    until = hub.clock() + timedelta(days=1) if kind == "asked" else None
    return Change("telegram", "", address, kind, at, {"source": "test"}, purpose_id=purpose, until=until)
