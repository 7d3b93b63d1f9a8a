"""A business connects a chat in the page: no credentials, no terms of others, and an error names its field."""

from hub.connectors.webchat.settings import WebchatSettings
from hub.core import ids
from hub.inbox.arriving import ingest
from tests.inbox.pages_support import PAGE, visit
from tests.support import HubUnderTest
from tests.webchat.support import SITE

FORM = {
    "connector": "webchat",
    "terms": "accepted",
    "title": "Laden",
    "set_title": "Radwerk Lindau",
    "set_origins": f"{SITE}/\r\nradwerk.example",
    "set_privacy_url": f"{SITE}/datenschutz",
    "set_greeting": "Guten Tag.\r\nWas brauchen Sie?",
    "set_asks": "name",
    "set_position": "left",
}


async def stored(hub: HubUnderTest) -> WebchatSettings:
    """The settings of the chat that is connected."""
    channel = await ingest.load_channel(hub.runtime, hub.organisation_id, await hub.value("SELECT id FROM channel"))
    assert isinstance(channel.account.settings, WebchatSettings)
    return channel.account.settings


async def test_chat_is_connected_with_three_answers(hub: HubUnderTest) -> None:
    """Afterwards it is on, and its page is its address."""
    owner = await visit(hub, "Olga Chefin", role="owner")
    page = await owner.page("/channels?connect=webchat")
    assert '<textarea class="input" id="f-set_origins"' in page
    assert '<option value="left">Unten links</option>' in page
    assert 'type="checkbox" name="terms"' not in page
    answer = await owner.post("/channels", headers=PAGE, **FORM)
    assert answer.status_code == 303, answer.text
    row = (await hub.rows("SELECT id, state, title, address FROM channel"))[0]
    shown = ids.show("chn", row["id"])
    assert (row["state"], row["title"]) == ("on", "Laden")
    assert row["address"] == f"http://hub.test/webchat/{shown}"
    assert (await owner.client.get(f"/webchat/{shown}.js", headers={"origin": SITE})).status_code == 200
    assert "Radwerk Lindau" in await owner.page(f"/webchat/{shown}")


async def test_typed_settings_are_kept_as_meant(hub: HubUnderTest) -> None:
    owner = await visit(hub, "Olga Chefin", role="owner")
    await owner.post("/channels", headers=PAGE, **FORM)
    settings = await stored(hub)
    assert settings.allowed == {SITE, "https://radwerk.example"}
    assert settings.greeting == "Guten Tag.\nWas brauchen Sie?"
    assert (settings.asks, settings.position, settings.privacy_text) == ("name", "left", "")


async def test_wrong_field_is_named(hub: HubUnderTest) -> None:
    owner = await visit(hub, "Olga Chefin", role="owner")
    for wrong in ({"set_origins": "https://*.example"}, {"set_privacy_url": "datenschutz"}, {"set_accent": "blau"}):
        answer = await owner.post("/channels", headers=PAGE, **{**FORM, **wrong})
        assert answer.status_code == 422
        (name,) = wrong
        assert f'aria-describedby="h-{name}" aria-invalid="true"' in answer.text
        assert wrong[name] in answer.text  # what was typed stays
    assert await hub.value("SELECT count(*) FROM channel") == 0


async def test_settings_are_changed_without_credentials(hub: HubUnderTest) -> None:
    owner = await visit(hub, "Olga Chefin", role="owner")
    await owner.post("/channels", headers=PAGE, **FORM)
    shown = ids.show("chn", await hub.value("SELECT id FROM channel"))
    changed = {**FORM, "set_origins": "https://neu.example", "set_greeting": ""}
    answer = await owner.post(f"/channels/{shown}/settings", headers=PAGE, **changed)
    assert answer.status_code == 303, answer.text
    settings = await stored(hub)
    assert (settings.origins, settings.greeting) == ("https://neu.example", "")
