"""`hub consent spam …` and `hub consent erasures …`: what the operator decides about spam events, and the list that a restore
applies again."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.core import ids
from hub.core.i18n import Translator
from hub.terminal import plain_errors, read_settings, say, with_servers

spam_app = typer.Typer(no_args_is_help=True, help="Spam events: list, confirm, group, reject.")
erasures_app = typer.Typer(no_args_is_help=True, help="The list of erasures: save it, apply it after a restore.")

Organisation = Annotated[str, typer.Argument(help="The organisation's name in addresses.")]
Events = Annotated[list[str], typer.Argument(help="Events by their ids, as `list` shows them.")]
By = Annotated[str, typer.Option(help="Who decides: it stands beside the decision and the charge.")]
Reason = Annotated[str, typer.Option(help="Why.")]


@spam_app.command("list")
def spam_list(organisation: Organisation) -> None:
    """What is held against an organisation, with its answers and open cases; candidates first."""
    from hub.inbox.persons.operator import read_held

    t = Translator("en")
    with plain_errors():
        events, cases = asyncio.run(read_held(with_servers(read_settings()), organisation))
    for one in events:
        grounds = ", ".join(t(f"cases.ground.{ground}") for ground in one.grounds)
        charge = f"EUR {one.amount}" if one.amount else ""
        say(f"{ids.show('spam', one.id)}  {one.state:9}  {one.messenger:9}  {grounds}  {charge}".rstrip())
        if one.accepted_at:
            say(
                f"    accepted {one.accepted_at.isoformat()}, withdrawn {one.withdrawn_at.isoformat() if one.withdrawn_at else '-'}"
            )
        if one.answer:
            say(f"    answer: {one.answer}")
    for case in cases:
        say(f"{case.number}  {'closed' if case.closed_at else 'open'}  {', '.join(case.categories)}")
        if case.repeats:
            say(f"    repeats {case.repeats}: termination without notice is possible (III.9.8)")


@spam_app.command("confirm")
def spam_confirm(organisation: Organisation, events: Events, by: By, reason: Reason = "") -> None:
    """Each of these is an event of its own: over Viber EUR 5,000.00 are proposed for each."""
    _decide("confirm", organisation, events, by, reason)


@spam_app.command("group")
def spam_group(organisation: Organisation, events: Events, by: By, reason: Reason = "") -> None:
    """These are one event; the first stands for all."""
    _decide("group", organisation, events, by, reason)


@spam_app.command("reject")
def spam_reject(organisation: Organisation, events: Events, by: By, reason: Reason) -> None:
    """These are no spam events."""
    _decide("reject", organisation, events, by, reason)


def _decide(what: str, organisation: str, events: Sequence[str], by: str, reason: str) -> None:
    from hub.inbox.persons.operator import decide

    with plain_errors():
        total = asyncio.run(decide(with_servers(read_settings()), organisation, what, events, by=by, reason=reason))
    say(f"Done. EUR {total} are proposed for {organisation} in all.")


@erasures_app.command("save")
def erasures_save(file: Path) -> None:
    """Write the list of all organisations: hashes, no address. Keep it apart from the backups of the database."""
    from hub.inbox.persons.operator import save

    with plain_errors():
        saved = asyncio.run(save(with_servers(read_settings())))
    file.write_text(json.dumps(saved))
    say(f"{sum(len(one['erasures']) for one in saved.values())} erasures of {len(saved)} organisations are in {file}.")


@erasures_app.command("apply")
def erasures_apply(file: Path) -> None:
    """After a restore, and before web and worker start: erase again whom the database still holds. Safe to repeat."""
    from hub.core.hooks import Hooks
    from hub.inbox.persons.operator import apply
    from hub.listeners import subscribe

    saved: dict[str, Any] = json.loads(file.read_text())
    with plain_errors():
        count = asyncio.run(apply(with_servers(read_settings()), saved, subscribe(Hooks())))
    say(f"{count} people were erased again.")
