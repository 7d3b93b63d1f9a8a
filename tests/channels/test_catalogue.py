"""The catalogue: every messenger of the contract, what it is and costs and does with data, and one that is no more."""

from pathlib import Path

import pytest

import hub.connectors
from hub.channels import history
from hub.channels.catalogue import ABOUT, about, can_do, messengers
from hub.channels.providers import Provider, provider_of
from hub.connectors.registry import Registry, discover
from hub.core.i18n import LOCALES, Translator, catalogue
from tests.channels.support import words
from tests.inbox.pages_support import visit
from tests.support import HubUnderTest

INSTALLED = discover()


async def test_each_card_says_whose_it_is_and_what_it_means(hub: HubUnderTest) -> None:
    """R-291, R-262: publisher, road, abilities, costs, where data go and the documents of every messenger that can be connected."""
    ada = await visit(hub, "Ada Admin", role="admin")
    page = words(await ada.page("/channels"))
    for name, connector in INSTALLED.items():
        provider, told = provider_of(name), about(Translator("de"), name)
        can = can_do(Translator("de"), connector.capabilities)
        for shown in (connector.label, f"Betreiber {provider.operator}", can, *told.values()):
            assert shown in page, name
        assert all(document["title"] in page for document in provider.documents)


async def test_google_business_messages_has_ended(hub: HubUnderTest) -> None:
    """It ended on 2024-07-31: the page says so, offers the successor and no form."""
    ada = await visit(hub, "Ada Admin", role="admin")
    page = await ada.page("/channels")
    assert "Google hat Google Business Messages am 31.07.2024 eingestellt." in words(page)
    assert "Nachfolger: Google RCS verbinden" in words(page) and "connect=gbm" not in page
    assert 'id="set-up"' not in await ada.page("/channels?connect=gbm")


async def test_signal_and_x_are_told_before_they_are_connected(hub: HubUnderTest) -> None:
    """Signal is unofficial, and what that means; X charges each call."""
    ada = await visit(hub, "Ada Admin", role="admin")
    page = words(await ada.page("/channels"))
    assert "Signal bietet Betrieben keine Schnittstelle." in page and "Signal kann eine Nummer jederzeit sperren" in page
    assert "X berechnet Ihrem Entwicklerkonto jeden Abruf und jede Nachricht einzeln" in page


def test_a_messenger_that_is_not_listed_comes_last() -> None:
    listed = [one.name for one in messengers(Registry([]))]
    assert len(listed) == 13 and all(one.connector is None for one in messengers(Registry([])))
    assert [one.name for one in messengers(INSTALLED)][: len(listed)] == listed


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_every_connector_says_what_it_is_about(name: str) -> None:
    """R-291: the publisher is never empty; every card has its four lines in both languages."""
    provider = provider_of(name)
    assert provider.provider and provider.operator and provider.version and provider.regions
    for locale in LOCALES:
        assert set(about(Translator(locale), name)) == set(ABOUT), locale
    assert (Path(hub.connectors.__path__[0]) / name / "provider.json").is_file()


@pytest.mark.parametrize("name", sorted(INSTALLED))
async def test_every_messengers_form_can_be_opened(hub: HubUnderTest, name: str) -> None:
    """Whatever it asks for has its words, each choice too."""
    ada = await visit(hub, "Ada Admin", role="admin")
    assert 'id="set-up-title"' in await ada.page(f"/channels?connect={name}")


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://t.me/{name}", "https://t.me/radwerk_bot"),
        ("https://wa.me/{digits}", "https://wa.me/4983825510"),
        ("https://m.me/{own_id}", "https://m.me/4711"),
        ("", ""),
    ],
)
def test_the_link_to_an_account(link: str, said: str) -> None:
    provider = Provider("x", "x", "1", (), link=link)
    assert provider.link_to("4711", "+49 8382 55-10" if "digits" in link else "@radwerk_bot") == said


@pytest.mark.parametrize("locale", LOCALES)
def test_everything_that_happens_has_words(locale: str) -> None:
    texts = catalogue(locale)
    assert [one for one in history.CHANGES if f"channels.history.{one}" not in texts] == []
