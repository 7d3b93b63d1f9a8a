"""Double opt-in (R-227): somebody, or a form in their name, said they agree; the one question on the messenger itself makes it
true.

    ask      the grants become `asked`; the question is due, once
    answer   JA / YES after the question has left grants what it asked about, in the words it asked about

A question is void after VALID. It is never repeated: who did not answer is asked again at the earliest after SILENCE, so that no
form can be used to knock at somebody's door. While it is open nothing may be sent for its purposes.
"""

import json
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hub.consent import purposes
from hub.consent.agreeing.flows import Flow
from hub.consent.agreeing.roads import Method, agreed_to, worded
from hub.consent.agreeing.texts import Texts
from hub.consent.books import aliases, ledger
from hub.consent.books.chain import Change
from hub.consent.hooks import AnswerDue
from hub.consent.locks import Key
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.runtime import Runtime

VALID: Final = timedelta(hours=72)
FORM: Final = "form"
"""The source of a sign-up that somebody typed into the public form."""
SILENCE: Final = timedelta(days=30)


async def ask(
    runtime: Runtime,
    unit: UnitOfWork,
    texts: Texts,
    flow: Flow,
    key: Key,
    *,
    language: str,
    at: datetime,
    method: Method,
    evidence: dict[str, str],
    restarts: bool,
) -> bool:
    """Ask once whether this person agrees to the flow's purposes; False when they were asked not long ago. The caller holds the
    locks of their addresses. `restarts`: it was the person's own message, which lifts a stop as far as to be asked, and may ask
    again once a question is void; a form does neither."""
    now = clock.now()
    if await unit.sql.fetchval(
        """
        SELECT true FROM optin_request
        WHERE organisation_id = $1 AND messenger = $2 AND scope = $3 AND address = $4 AND flow_id = $5 AND confirmed_at IS NULL
          AND asked_at > $6 LIMIT 1
        """,
        unit.tenant,
        *key,
        flow.id,
        now - (VALID if restarts else SILENCE),
    ):
        return False
    request_id, until = ids.new_id(), now + VALID
    await unit.sql.execute(
        """
        INSERT INTO optin_request (organisation_id, id, messenger, scope, address, flow_id, language, versions, source, asked_at,
                                   until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11)
        """,
        unit.tenant,
        request_id,
        *key,
        flow.id,
        language,
        json.dumps({str(purpose.id): purpose.version for purpose in flow.purposes}),
        evidence["source"],
        now,
        until,
    )
    changes = [Change(*key, "restart", at, evidence)] if restarts else []
    for purpose in flow.purposes:
        said = {**evidence, **agreed_to(purpose, language), "method": method}
        changes.append(Change(*key, "asked", at, said, purpose_id=purpose.id, until=until))
    await ledger.record(unit, runtime.vault, runtime.hooks, changes)
    text = texts.say("request", language, text=flow.texts(language), until=texts.moment(until, language))
    await runtime.hooks.publish(
        unit, AnswerDue(flow.channel_id, key[2], "opt_in_request", text, purpose_id=flow.purposes[0].id, request_id=request_id)
    )
    return True


async def note_sent(unit: UnitOfWork, request_id: UUID) -> None:
    """The question has left: from now on it can be answered."""
    await unit.sql.execute(
        "UPDATE optin_request SET sent_at = $3 WHERE organisation_id = $1 AND id = $2 AND sent_at IS NULL",
        unit.tenant,
        request_id,
        clock.now(),
    )


async def answer(
    runtime: Runtime,
    unit: UnitOfWork,
    texts: Texts,
    key: Key,
    channel_id: UUID,
    at: datetime,
    evidence: dict[str, str],
    *,
    entered: UUID | None = None,
) -> bool:
    """The person says yes: their open questions of this channel are answered, whichever of their addresses was asked; False when
    there is none. `entered`: they came by the word or link of this flow themselves, which answers what a form asked in their
    name, even where the question could not be sent (WhatsApp lets nobody write first). The caller holds the locks."""
    family = (await aliases.families(unit, [key]))[key]
    rows = await unit.sql.fetch(
        """
        UPDATE optin_request r SET confirmed_at = $6
        FROM optin_flow f
        WHERE r.organisation_id = $1 AND r.messenger = $2 AND r.scope = $3 AND r.address = ANY($4::text[])
          AND f.organisation_id = $1 AND f.id = r.flow_id AND f.channel_id = $5 AND r.confirmed_at IS NULL AND r.until > $6
          AND ($7::uuid IS NULL AND r.sent_at IS NOT NULL OR r.flow_id = $7 AND r.source = $8)
        RETURNING r.flow_id, r.language, r.versions
        """,
        unit.tenant,
        *key[:2],
        [address for _, _, address in family],
        channel_id,
        at,
        entered,
        FORM,
    )
    for row in rows:
        changes = []
        names = []
        for purpose_id, version in row["versions"].items():
            wording = await purposes.wording_of(unit, UUID(purpose_id), version, row["language"])
            said = {**evidence, **worded(wording, version, row["language"]), "answer": evidence["text"], "method": "double_opt_in"}
            changes.append(Change(*key, "granted", at, said, purpose_id=UUID(purpose_id)))
            names.append(wording.name)
        await ledger.record(unit, runtime.vault, runtime.hooks, changes)
        own = await unit.sql.fetchval(
            "SELECT confirmation FROM optin_flow_text WHERE organisation_id = $1 AND flow_id = $2 AND language = $3",
            unit.tenant,
            row["flow_id"],
            row["language"],
        )
        text = own or texts.say("joined", row["language"], purpose=", ".join(names))
        await runtime.hooks.publish(unit, AnswerDue(channel_id, key[2], "reply", text))
    return bool(rows)
