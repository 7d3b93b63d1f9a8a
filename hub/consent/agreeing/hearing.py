"""What people say about consent on the messenger itself: words, links, answers, subscriptions (R-221 to R-223, R-227).

    understand   pure: what a message asks for, against the organisation's own words (`Vocabulary`)
    hear         takes it into the ledger with its message as proof, and publishes what is to be answered

Only a whole message is a word, and only the payload of a living flow of this channel is a link of ours: everything else is an
ordinary message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from hub.consent import purposes
from hub.consent.agreeing import flows, own_link, requests, words
from hub.consent.agreeing.flows import Flow
from hub.consent.agreeing.roads import agreed_to, read_grants
from hub.consent.agreeing.texts import Texts, load_texts
from hub.consent.books import ledger
from hub.consent.books.chain import Change
from hub.consent.books.states import Kind
from hub.consent.hooks import AnswerDue
from hub.consent.locks import Key
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.i18n import LOCALES
from hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What an organisation's words on one channel mean. `names`: each purpose by what it is called and by its key, as compared."""

    flows: tuple[Flow, ...]
    names: Mapping[str, UUID]
    purposes: Mapping[UUID, purposes.KnownPurpose]

    def entered(self, payload: str) -> Flow | None:
        """The flow that a link's payload names."""
        return next((flow for flow in self.flows if flow.key == payload), None)

    def subscribed(self) -> list[Flow]:
        """The flows for which subscribing counts."""
        return [flow for flow in self.flows if flow.counts_subscription]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a message asks for. `restart`: the person began anew, and agrees to nothing by that."""

    kind: Literal["stop", "stop_purpose", "join", "yes", "own_data", "restart"]
    flow: Flow | None = None
    purpose_id: UUID | None = None
    language: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A wish with who said it, when by the provider's clock, and the message that proves it. `spoken`: what the messenger knows of
    their language."""

    key: Key
    wish: Wish
    at: datetime
    message_id: UUID
    text: str
    spoken: str = ""

    def evidence(self) -> dict[str, str]:
        return {"source": "message", "message_id": str(self.message_id), "text": self.text, "method": "keyword"}


async def load_vocabulary(unit: UnitOfWork, channel_id: UUID) -> Vocabulary:
    """The words of a channel as they are now."""
    known = await purposes.list_purposes(unit, with_archived=True)
    living = await flows.living_flows(unit, channel_id) if known else []
    names: dict[str, UUID] = {}
    for purpose in known:
        for name in (purpose.key, *(purpose.name(language) for language in LOCALES)):
            names.setdefault(words.plain(name), purpose.id)
    return Vocabulary(tuple(living), names, {purpose.id: purpose for purpose in known})


def understand(vocabulary: Vocabulary, text: str, start_payload: str | None) -> Wish | None:
    """What a message asks for, if anything. Stopping comes before everything else."""
    if start_payload is not None:
        flow = vocabulary.entered(start_payload)
        return Wish("join", flow, language=flow.language) if flow else Wish("restart")
    said = words.plain(text)
    if not said:
        return None
    if said in words.OPT_OUT:
        return Wish("stop")
    if purpose_id := vocabulary.names.get(words.stopped_name(said)):
        return Wish("stop_purpose", purpose_id=purpose_id)
    if said in words.OWN_DATA:
        return Wish("own_data", language=words.OWN_DATA[said])
    if said in words.YES:
        return Wish("yes")
    for flow in vocabulary.flows:
        for language, keyword in flow.keywords.items():
            if said == keyword:
                return Wish("join", flow, language=language)
    return None


async def hear(
    runtime: Runtime, unit: UnitOfWork, channel_id: UUID, vocabulary: Vocabulary, said: Sequence[Said], others: Sequence[Change]
) -> None:
    """Take what people said into the ledger, and `others` with it: what the provider reports. The caller holds the locks of all
    addresses of these people. What is stopped in one batch is answered once."""
    texts = await load_texts(unit) if said else None
    changes = list(others)
    answers: list[AnswerDue] = []
    told: set[tuple[Key, UUID | None]] = set()
    later: list[Said] = []
    for one in said:
        assert texts is not None
        language = one.wish.language or texts.language_of(one.spoken)
        match one.wish.kind:
            case "restart":
                changes.append(Change(*one.key, "restart", one.at, one.evidence()))
            case "stop" | "stop_purpose":
                changes.append(_stop(one))
                about = (one.key, one.wish.purpose_id)
                is_silent = runtime.connectors.get(one.key[0]).capabilities.opt_in_always  # not even a receipt leaves after a stop
                if about not in told and not is_silent and await _is_news(unit, one):
                    answers.append(_receipt(channel_id, texts, vocabulary, one, language))
                told.add(about)
            case "own_data":
                link = await own_link.link_for(runtime, unit, one.key)
                text = texts.say("own_data", language, link=f"{link}?lang={language}")
                answers.append(AnswerDue(channel_id, one.key[2], "reply", text))
            case "join" | "yes":
                later.append(one)
    if changes:
        await ledger.record(unit, runtime.vault, runtime.hooks, changes)
    for answer in answers:
        await runtime.hooks.publish(unit, answer)
    for one in later:
        assert texts is not None
        if one.wish.flow is None:
            await requests.answer(runtime, unit, texts, one.key, channel_id, one.at, one.evidence())
        else:
            await _join(runtime, unit, texts, one.wish.flow, one)


def _stop(said: Said) -> Change:
    kind: Kind = "withdrawn" if said.wish.purpose_id else "opt_out"
    return Change(*said.key, kind, said.at, said.evidence(), purpose_id=said.wish.purpose_id)


async def _is_news(unit: UnitOfWork, said: Said) -> bool:
    """Whether this stop changes anything: one that was heard before was confirmed before (at most one receipt for each)."""
    grants, stopped_at, choice = await read_grants(unit, said.key)
    if said.wish.purpose_id is None:
        return choice != "opted_out"
    grant = grants.get(said.wish.purpose_id)
    return grant is None or grant.state(stopped_at, clock.now()) != "withdrawn"


def _receipt(channel_id: UUID, texts: Texts, vocabulary: Vocabulary, said: Said, language: str) -> AnswerDue:
    purpose_id = said.wish.purpose_id
    if purpose_id is None:
        text = texts.say("stopped", language)
    else:
        text = texts.say("stopped_purpose", language, purpose=vocabulary.purposes[purpose_id].name(language))
    return AnswerDue(channel_id, said.key[2], "opt_out_receipt", text, purpose_id=purpose_id)


async def _join(runtime: Runtime, unit: UnitOfWork, texts: Texts, flow: Flow, said: Said) -> None:
    """A word or a link of a flow: agreed, or the one question first. Their own message reaches us, so nothing blocks any more;
    after a stop they began anew."""
    language = said.wish.language
    evidence = {**said.evidence(), "answer": said.text, "flow": flow.key}
    if flow.double_opt_in and not await is_granted(unit, flow, said.key):
        if await requests.answer(runtime, unit, texts, said.key, flow.channel_id, said.at, evidence, entered=flow.id):
            return
        await requests.ask(
            runtime, unit, texts, flow, said.key, language=language, at=said.at, method="keyword", evidence=evidence, restarts=True
        )
        return
    changes = [Change(*said.key, "unblocked", said.at, evidence)]
    changes += granted_by(flow, said.key, said.at, language, evidence)
    await ledger.record(unit, runtime.vault, runtime.hooks, changes)
    text = flow.confirmations.get(language) or texts.say("joined", language, purpose=flow.names(language))
    await runtime.hooks.publish(unit, AnswerDue(flow.channel_id, said.key[2], "reply", text))


async def is_granted(unit: UnitOfWork, flow: Flow, key: Key) -> bool:
    """Whether everything that a flow asks for is granted already."""
    grants, stopped_at, _ = await read_grants(unit, key)
    now = clock.now()
    found = [grants.get(purpose.id) for purpose in flow.purposes]
    return all(grant is not None and grant.state(stopped_at, now) == "granted" for grant in found)


def granted_by(flow: Flow, key: Key, at: datetime, language: str, evidence: dict[str, str]) -> list[Change]:
    """Everything that a flow asks for, in its present words."""
    return [
        Change(*key, "granted", at, {**evidence, **agreed_to(purpose, language)}, purpose_id=purpose.id)
        for purpose in flow.purposes
    ]


def subscribed(vocabulary: Vocabulary, change: Change) -> list[Change]:
    """What a subscription grants besides, where it counts as the active registration (R-221)."""
    evidence = {**change.evidence, "method": "subscription"}
    return [
        one
        for flow in vocabulary.subscribed()
        for one in granted_by(flow, change.key, change.at, flow.language, {**evidence, "flow": flow.key})
    ]
