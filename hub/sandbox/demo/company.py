"""The sample organisation, its people and its channels: made when they are missing, else found."""

from typing import Any
from uuid import UUID

from hub.channels import service as channels
from hub.channels.accounts import ACCOUNT_COLUMNS, open_channel
from hub.channels.settings import read_settings
from hub.organisations import service as organisations
from hub.organisations import sessions
from hub.organisations.actor import Access
from hub.runtime import Runtime
from hub.sandbox import stories
from hub.sandbox.acts import ZONE, Colleague
from hub.sandbox.demo.basics import DemoFailed, Place, words


async def find_organisation(runtime: Runtime) -> UUID | None:
    async with runtime.database.system() as unit:
        found: UUID | None = await unit.sql.fetchval("SELECT id FROM organisation WHERE slug = $1", stories.SLUG)
    return found


async def find_people(runtime: Runtime) -> dict[Colleague, Access]:
    """Everybody of the sample organisation, signed in; founded and added when they are missing.

    Raises DemoFailed when the organisation's short name or somebody's e-mail belongs to others.
    """
    organisation_id = await find_organisation(runtime)
    if organisation_id is None:
        founded = await organisations.found_organisation(
            runtime,
            name=stories.ORGANISATION,
            slug=stories.SLUG,
            owner_email=stories.OWNER.email,
            owner_name=stories.OWNER.name,
            owner_password=stories.PASSWORD,
            zone=ZONE,
            locale=stories.OWNER.locale,
        )
        organisation_id = founded.organisation_id
    people = {}
    for colleague in stories.COLLEAGUES:
        access = await _sign_in(runtime, organisation_id, colleague)
        if access is None:
            await organisations.add_member(
                runtime,
                organisation_id,
                email=colleague.email,
                name=colleague.name,
                role=colleague.role,
                password=stories.PASSWORD,
                locale=colleague.locale,
            )
            access = await _sign_in(runtime, organisation_id, colleague)
        if access is None:
            raise DemoFailed(words()("sandbox.demo.not_ours", slug=stories.SLUG))
        people[colleague] = access
    return people


async def _sign_in(runtime: Runtime, organisation_id: UUID, colleague: Colleague) -> Access | None:
    """A session of the demo for this member, as a route would get it; None when there is no such member."""
    async with runtime.database.system() as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT p.id AS person_id, p.name AS person_name, p.email, p.locale, o.id AS organisation_id, o.slug,
                   o.name AS organisation_name, o.zone, m.id AS member_id, m.role
            FROM member m JOIN person p ON p.id = m.person_id JOIN organisation o ON o.id = m.organisation_id
            WHERE m.organisation_id = $1 AND p.email = $2 AND m.deactivated_at IS NULL
            """,
            organisation_id,
            colleague.email,
        )
        if row is None:
            return None
        origin = sessions.Origin("127.0.0.1", "hub demo")
        session_id, token = await sessions.start(unit, runtime.settings, row["person_id"], origin, stay=False)
    return Access(session_id=session_id, csrf_token=sessions.csrf_token(token), **row)


async def sign_out(runtime: Runtime, access: Access) -> None:
    async with runtime.database.system() as unit:
        await sessions.end(unit, access.person_id, only=access.session_id)


async def find_channel(runtime: Runtime, owner: Access, connector: str, values: dict[str, Any]) -> Place:
    """The channel of the demo on this messenger; connected when there is none, and given the present settings.

    Raises NotFound for a messenger that the hub does not know, InvalidInput for settings that its form would not take.
    """
    await channels.accept_terms(runtime, owner, connector)
    async with runtime.database.unit_of_work(owner.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            f"SELECT {ACCOUNT_COLUMNS} FROM channel WHERE organisation_id = $1 AND connector = $2 ORDER BY created_at, id LIMIT 1",
            unit.tenant,
            connector,
        )
        if row is not None:
            channel = open_channel(runtime.vault, runtime.connectors, row)
            settings = read_settings(channel.connector.settings, values)
            if channel.account.settings != settings:
                await channels.store_settings(runtime, unit, owner, channel, settings)
            return Place(unit.tenant, connector, row["id"])
    channel_id = await channels.connect_channel(runtime, owner, connector=connector, title=stories.ORGANISATION, values=values)
    return Place(owner.organisation_id, connector, channel_id)
