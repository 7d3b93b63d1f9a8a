"""`hub …`: what an operator types.

hub serve      everything on one machine: own PostgreSQL and Valkey, web, worker (design: one supervisor, one data folder)
hub demo       the same with a sample organisation and all messengers simulated to play with
hub web        one web process            hub worker     one worker process
hub migrate    bring the database to the newest schema
hub found      create an organisation with its owner
hub replay     put dead letters back into their lane
hub doctor     look at everything the hub stands on, and say what to do
hub channels   what the operator decides about messengers: a provider ends one, its word on an account, what Meta demands, outages
hub deliveries what came in for accounts that nobody has connected
hub keys       the master keys: list, rotate, drop
hub consent    the ledger of consents: verify it, write a proof; spam events; the list of erasures
hub audit      the audit log: verify it
hub sandbox    the simulators of the providers
"""

import asyncio
import contextlib
import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from hub.cli_consent import audit_app, consent_app
from hub.cli_people import erasures_app, spam_app
from hub.core import ids
from hub.core.errors import HubError
from hub.core.hooks import Hooks
from hub.core.services import EmbeddedServices, ServicesError
from hub.core.settings import Settings
from hub.core.supervisor import Child, Supervisor
from hub.terminal import plain_errors, read_settings, say, with_running, with_servers

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

keys_app = typer.Typer(no_args_is_help=True, help="The master keys that seal secrets: list, rotate, drop.")
app.add_typer(keys_app, name="keys")

channels_app = typer.Typer(no_args_is_help=True, help="What the operator decides about messengers.")
app.add_typer(channels_app, name="channels")

consent_app.add_typer(spam_app, name="spam")
consent_app.add_typer(erasures_app, name="erasures")

deliveries_app = typer.Typer(no_args_is_help=True, help="What came in.")
app.add_typer(deliveries_app, name="deliveries")
app.add_typer(consent_app, name="consent")
app.add_typer(audit_app, name="audit")

SANDBOX_OFFSET = 1
"""The demo's sandbox listens on the hub's port plus this."""


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema. Safe to repeat."""
    settings = with_servers(read_settings())
    _migrate(settings)
    say("The database has the newest schema.")


def _migrate(settings: Settings) -> None:
    from hub.migrations.run import migrate as run_migrations
    from hub.organisations.policy import sync_policies

    assert settings.database_url is not None
    admin_url = settings.database_admin_url or settings.database_url
    run_migrations(admin_url.get_secret_value(), settings.database_url.get_secret_value())
    asyncio.run(sync_policies(settings))


Wait = Annotated[bool, typer.Option("--wait", help="Load everything, then begin when the standard input ends.", hidden=True)]
"""How `hub serve` starts its children while the servers and the schema get ready: loading takes the most of a start."""


@app.command()
def web(wait: Wait = False) -> None:
    """One web process: pages, live streams and the door for webhooks."""
    import uvicorn

    from hub.app import create_app
    from hub.core.telemetry import set_up_logging

    if wait:
        sys.stdin.buffer.read()
    settings = with_servers(read_settings())
    set_up_logging(settings)
    uvicorn.run(
        create_app,
        factory=True,
        host=settings.host,
        port=settings.port,
        http="httptools",
        loop="uvloop",
        ws="none",
        proxy_headers=False,  # the application reads them itself (core/requests.py)
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=2,
        server_header=False,
    )


@app.command()
def worker(wait: Wait = False) -> None:
    """One worker process: applies what came in, sends what is due, sweeps."""
    import uvloop

    from hub.worker import run_worker

    if wait:
        sys.stdin.buffer.read()
    settings = with_servers(read_settings())
    uvloop.run(run_worker(settings))


@app.command()
def sandbox(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8001) -> None:
    """The simulators of the providers, with a phone page to play the customer. Needs no database."""
    import uvicorn

    uvicorn.run("hub.sandbox.app:create_sandbox_app", factory=True, host="127.0.0.1", port=port, log_level="warning")


@app.command()
def serve() -> None:
    """Everything on one machine, until Ctrl-C."""
    settings = read_settings()
    asyncio.run(_supervise("serve", settings, {}))


@app.command()
def demo() -> None:
    """Everything with a sample organisation and all messengers simulated, until Ctrl-C."""
    settings = read_settings()
    sandbox_port = settings.port + SANDBOX_OFFSET
    env = {
        "HUB_TRUSTED_HOSTS": f"127.0.0.1:{sandbox_port}",
        "HUB_PUBLIC_URL": settings.base_url,  # the simulators deliver by webhook, as providers would to a public address
        "HUB_LOG_LEVEL": os.environ.get("HUB_LOG_LEVEL", "WARNING"),
    }
    asyncio.run(_supervise("demo", settings, env, sandbox_port))


async def _supervise(name: str, settings: Settings, env: dict[str, str], sandbox_port: int | None = None) -> None:
    """Start servers and children, migrate, with `sandbox_port` also what the demo has; leave when a signal comes."""
    try:
        async with Supervisor(name=name, data=settings.data, say=say) as supervisor:
            env = dict(env)
            services = None
            if settings.database_url is None or settings.redis_url is None:
                services = EmbeddedServices(settings.data, say=say)
                urls = await asyncio.to_thread(services.prepare)
                if settings.database_url is None:
                    env |= {"HUB_DATABASE_URL": urls.database_url, "HUB_DATABASE_ADMIN_URL": urls.admin_url}
                if settings.redis_url is None:
                    env |= {"HUB_REDIS_URL": urls.redis_url}
            os.environ.update(env)
            settings = Settings()
            for process in ("web", "worker"):
                supervisor.start(Child(process, [sys.executable, "-m", "hub", process, "--wait"], env))
            if services is not None:
                await supervisor.start_services(services)
            say("Bringing the database to the newest schema …")
            await asyncio.to_thread(_migrate, settings)
            working = asyncio.create_task(_work(supervisor, env, settings, sandbox_port))
            working.add_done_callback(lambda _: supervisor.stop())
            await supervisor.wait()
            say("Stopping …")
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
    except (ServicesError, HubError) as error:
        say(str(error))
        raise typer.Exit(1) from None


async def _work(supervisor: Supervisor, env: dict[str, str], settings: Settings, sandbox_port: int | None) -> None:
    """Let the children begin and stay until cancelled."""
    if sandbox_port is None:
        supervisor.release()
        say(f"Hub listens on {settings.base_url}. Ctrl-C ends it.")
        await asyncio.Event().wait()
    else:
        await _demonstrate(supervisor, env, settings, sandbox_port)


async def _demonstrate(supervisor: Supervisor, env: dict[str, str], settings: Settings, sandbox_port: int) -> None:
    """The demo's stories are played before there is a second process at work."""
    from hub.core.telemetry import set_up_logging
    from hub.listeners import subscribe
    from hub.sandbox import demo

    set_up_logging(settings)
    await demo.seed(settings, subscribe(Hooks()), sandbox_port, say)
    supervisor.start(Child("sandbox", [sys.executable, "-m", "hub", "sandbox", "--port", str(sandbox_port)], env))
    await demo.wait_for_sandbox(sandbox_port, say)  # whoever asks the messengers shall find them
    supervisor.release()
    await demo.prepare(settings, sandbox_port, say)
    await demo.keep(settings, sandbox_port, say)


@app.command()
def found(
    slug: Annotated[str, typer.Argument(help="The organisation's name in addresses: lower-case letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(prompt="Name of the organisation")],
    owner_name: Annotated[str, typer.Option(prompt="Name of the owner")],
    owner_email: Annotated[str, typer.Option(prompt="E-mail of the owner")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, envvar="HUB_OWNER_PASSWORD")],
) -> None:
    """Create an organisation with its owner, who can then sign in and invite others."""
    from hub.organisations.commands import found_from_command_line

    settings = with_servers(read_settings())
    try:
        asyncio.run(found_from_command_line(settings, slug, name, owner_name, owner_email, password))
    except HubError as error:
        say(" ".join([str(error), *(f"({name}: {value})" for name, value in error.values.items())]))
        raise typer.Exit(1) from None
    say(f"{name} is founded. {owner_email} can sign in at {settings.base_url}/login")


@app.command()
def replay(
    organisation: Annotated[str, typer.Argument(help="The organisation's name in addresses (slug).")],
    delivery: Annotated[list[str] | None, typer.Argument(help="Ids of dead deliveries.")] = None,
    since: Annotated[datetime | None, typer.Option(help="All dead deliveries that arrived from this time on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="With --since: only those that arrived before this time (UTC).")] = None,
) -> None:
    """Put dead letters back into their lane: some by id, or a range. What they say happens once all the same.

    Without ids and times: list the dead letters with their cause.
    """
    from hub.inbox.commands import list_dead_letters, replay_dead_letters

    if until is not None and since is None:
        say("--until needs --since: the range must begin somewhere")
        raise typer.Exit(2)
    settings = with_servers(read_settings())
    try:
        if not delivery and since is None:
            letters = asyncio.run(list_dead_letters(settings, organisation))
            for one in letters:
                say(f"{ids.show('dlv', one.id)}  {one.received_at:%Y-%m-%d %H:%M:%S}  {one.connector}  {one.cause}")
            say(f"{len(letters)} dead deliveries. Put them back with: hub replay {organisation} ID…  or  --since TIME")
            return
        count = asyncio.run(replay_dead_letters(settings, organisation, delivery or [], since, until))
    except HubError as error:
        say(str(error))
        raise typer.Exit(1) from None
    say(f"{count} deliveries are back in their lane.")


@app.command()
def doctor() -> None:
    """Look at everything the hub stands on: a line for each, with what to do now. Ends with 1 when something is at fault."""
    from hub.doctor import Level, examine

    settings, absent = read_settings(), ""
    try:
        settings = with_running(settings)
    except ServicesError as error:
        absent = str(error)

    async def tell() -> int:
        faults = 0
        async for finding in examine(settings, absent):
            say(str(finding))
            faults += finding.level is Level.FAULT
        return faults

    if asyncio.run(tell()):
        raise typer.Exit(1)


@channels_app.command("end")
def channels_end(
    connector: Annotated[str, typer.Argument(help="The messenger's name in addresses, such as telegram.")],
    from_day: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day without it.")],
    reason: Annotated[str, typer.Option(help="What the owners are told.")],
) -> None:
    """A provider ends its messenger: from that day on nothing leaves over it, in every organisation. What comes in is kept."""
    from hub.channels.commands import end_from_command_line

    with plain_errors():
        users, mails = asyncio.run(end_from_command_line(with_servers(read_settings()), connector, from_day.date(), reason))
        say(f"{users} organisations use {connector}. {mails} owners were told by mail.")


@channels_app.command("approve")
def channels_approve(
    channel: Annotated[str, typer.Argument(help="The channel's id (chn_…), as its page's address shows it.")],
    word: Annotated[str, typer.Argument(help="applied, approved, refused or revoked.")],
    reason: Annotated[str, typer.Option(help="What the provider said.")],
) -> None:
    """The provider's word on an account: until it is approved the channel only receives."""
    from hub.channels.commands import approve_from_command_line

    with plain_errors():
        asyncio.run(approve_from_command_line(with_servers(read_settings()), channel, word, reason))
        say(f"{channel} is {word}.")


@channels_app.command("demand")
def channels_demand(
    organisation: Annotated[str, typer.Argument(help="The organisation's name in addresses (slug).")],
    ground: Annotated[str, typer.Option(help="i or ii, as in clause III.3.2.")],
    text: Annotated[str, typer.Option(help="What Meta wrote; the owners read it.")],
    by: Annotated[str, typer.Option(help="Who at Meta asked for it.")],
    at: Annotated[datetime, typer.Option(help="When they asked (UTC).")],
) -> None:
    """Meta demands that an organisation is stopped: nothing leaves over Facebook Messenger and Instagram from now on, in no channel
    of it. What comes in is kept, and the owners are told afterwards."""
    from hub.channels.commands import demand_from_command_line
    from hub.channels.demands import Demand
    from hub.listeners import subscribe

    demand = Demand(ground, text, by, at if at.tzinfo else at.replace(tzinfo=UTC))
    with plain_errors():
        settings = with_servers(read_settings())
        mails = asyncio.run(demand_from_command_line(settings, subscribe(Hooks()), organisation, demand))
        say(f"Facebook Messenger and Instagram of {organisation} are stopped. {mails} owners were told by mail.")


@channels_app.command("release")
def channels_release(
    organisation: Annotated[str, typer.Argument(help="The organisation's name in addresses (slug).")],
    reason: Annotated[str, typer.Option(help="Why it may send again.")],
) -> None:
    """Lift what a demand of Meta's has stopped."""
    from hub.channels.commands import release_from_command_line

    with plain_errors():
        asyncio.run(release_from_command_line(with_servers(read_settings()), organisation, reason))
        say(f"Facebook Messenger and Instagram of {organisation} may send again.")


@channels_app.command("outages")
def channels_outages(
    from_day: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, in each one's zone.")],
    to_day: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day.")],
    organisation: Annotated[str, typer.Option(help="Only this organisation (slug).")] = "",
) -> None:
    """When nothing could leave over a channel, and whose fault it was. What a provider is to blame for is no downtime."""
    from hub.channels.commands import report_from_command_line

    with plain_errors():
        settings, listed, downtime = with_servers(read_settings()), 0, 0
        for slug, report in asyncio.run(report_from_command_line(settings, from_day.date(), to_day.date(), organisation)):
            for one in report.outages:
                ended = f"{one.ended_at:%Y-%m-%d %H:%M}" if one.ended_at else "goes on"
                counts = "counts" if one.counts else "does not count"
                say(f"{ids.show('out', one.id)}  {slug}  {one.channel} ({one.connector})")
                say(f"    {one.began_at:%Y-%m-%d %H:%M} to {ended} UTC, {one.minutes} min")
                say(f"    {one.fault}, {counts}: {one.cause} {one.text}".rstrip())
            listed += report.listed_minutes
            downtime += report.downtime_minutes
        say(f"{listed} minutes of providers, listed and not counted. {downtime} minutes of downtime.")


@channels_app.command("judge")
def channels_judge(
    organisation: Annotated[str, typer.Argument(help="The organisation's name in addresses (slug).")],
    outage: Annotated[str, typer.Argument(help="The outage's id (out_…), as hub channels outages shows it.")],
    fault: Annotated[str, typer.Argument(help="provider, network or ours.")],
    reason: Annotated[str, typer.Option(help="How you know; it stands in the channel's history.")],
) -> None:
    """Say whose fault an outage was, where the hub could not know."""
    from hub.channels.commands import judge_from_command_line

    with plain_errors():
        asyncio.run(judge_from_command_line(with_servers(read_settings()), organisation, outage, fault, reason))
        say(f"{outage} is {fault}.")


@deliveries_app.command("unrouted")
def deliveries_unrouted() -> None:
    """What came at shared addresses for accounts that nobody has connected, kept for 7 days. Connecting the account takes it up."""
    from hub.inbox.commands import list_unrouted_deliveries

    with plain_errors():
        found = asyncio.run(list_unrouted_deliveries(with_servers(read_settings())))
        for one in found:
            named = one.own_id or "(no account named)"
            span = f"{one.first_at:%Y-%m-%d %H:%M} to {one.last_at:%Y-%m-%d %H:%M}"
            say(f"{one.connector}  {one.endpoint}  {named}  {one.count}  {span}")
        say(f"{sum(one.count for one in found)} deliveries for {len(found)} accounts that nobody has connected.")


@keys_app.command("list")
def keys_list() -> None:
    """Every key with what it does and how many values it sealed. Shows ids, never keys."""
    from hub.keys import list_keys

    with plain_errors():
        for use in asyncio.run(list_keys(with_servers(read_settings()))):
            say(f"{use.id:<32}  {use.does:<7}  {use.values} values")


@keys_app.command("rotate")
def keys_rotate() -> None:
    """Make a new key and seal every value with it, while the hub runs. Safe to repeat: what was interrupted is finished."""
    from hub.keys import rotate

    with plain_errors():
        asyncio.run(rotate(with_servers(read_settings()), say))


@keys_app.command("drop")
def keys_drop(key: Annotated[str, typer.Argument(help="The id of a key, as hub keys list shows it.")]) -> None:
    """Take away a key that no value needs any more."""
    from hub.keys import drop

    with plain_errors():
        say(asyncio.run(drop(with_servers(read_settings()), key)))
