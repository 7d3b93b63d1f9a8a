"""`hub consent …` and `hub audit …`: is what was written still as it was written, and the proof of it for one person."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hub.core.i18n import Translator
from hub.terminal import plain_errors, read_settings, say, with_servers

consent_app = typer.Typer(no_args_is_help=True, help="The ledger of consents: verify it, write a proof.")
audit_app = typer.Typer(no_args_is_help=True, help="The audit log: verify it.")

Organisation = Annotated[str, typer.Argument(help="The organisation's name in addresses; all when it is left out.")]


@consent_app.command("verify")
def consent_verify(organisation: Organisation = "") -> None:
    """Check chain, checkpoints, contents and states of the ledger. Names the first broken entry and ends with 1."""
    from hub.consent.commands import verify_from_command_line

    t, broken = Translator("en"), False
    with plain_errors():
        for slug, found in asyncio.run(verify_from_command_line(with_servers(read_settings()), organisation)).items():
            broken = broken or not found.is_whole
            if found.broken:
                say(f"{slug}: entry {found.broken.seq} is broken: {t(f'consent.check.{found.broken.problem}')}")
            for one in found.astray:
                whose = " ".join(filter(None, (*one.key, f"purpose {one.purpose_id}" if one.purpose_id else "")))
                say(f"{slug}: {whose}: the table says something else than the ledger: {', '.join(one.columns)}")
            if found.is_whole:
                say(f"{slug}: {found.entries} entries are as they were written, {found.signed_until} of them are signed")
    if broken:
        raise typer.Exit(1)


@consent_app.command("prove")
def consent_prove(
    address: Annotated[str, typer.Argument(help="The person's address, as their messenger writes it.")],
    messenger: Annotated[str, typer.Option(help="The messenger's name; all when it is left out.")] = "",
    organisation: Annotated[str, typer.Option(help="The organisation's name in addresses, where there are several.")] = "",
    language: Annotated[str, typer.Option(help="Of the page for people: de or en.")] = "de",
    folder: Annotated[Path, typer.Option(help="Where the files are written.")] = Path(),
) -> None:
    """Write what one person agreed to, with everything that proves it: JSON for machines, PDF for people."""
    from hub.consent.commands import prove_from_command_line
    from hub.core.hooks import Hooks
    from hub.listeners import subscribe

    with plain_errors():
        settings = with_servers(read_settings())
        hooks = subscribe(Hooks())
        for file in asyncio.run(prove_from_command_line(settings, hooks, organisation, address, messenger, language)):
            path = folder / file.name
            path.write_bytes(file.body)
            say(str(path))


@audit_app.command("verify")
def audit_verify(organisation: Organisation = "") -> None:
    """Check the chain of the audit log. Names the first broken entry and ends with 1."""
    from hub.consent.commands import verify_audit_from_command_line

    t, broken = Translator("en"), False
    with plain_errors():
        for slug, found in asyncio.run(verify_audit_from_command_line(with_servers(read_settings()), organisation)).items():
            if found.problem:
                say(f"{slug}: entry {found.seq} is broken: {t(f'consent.check.{found.problem}')}")
                broken = True
            else:
                say(f"{slug}: {found.seq} entries are as they were written")
    if broken:
        raise typer.Exit(1)
