"""A newsletter on its pages: written, simulated, started, looked at, by who may."""

import re

import respx

from hub.core import ids
from tests.campaigns.support import people, work
from tests.campaigns.test_running import Telegram, telegram
from tests.consent.support import define_purpose
from tests.inbox.pages_support import PAGE, visit
from tests.support import HubUnderTest

__all__ = ["telegram"]


@respx.mock
async def test_from_the_draft_to_the_results(hub: HubUnderTest, telegram: Telegram) -> None:
    """R-220: the page says before sending how many may be written to and why the others may not, and after it who got it."""
    channel, purpose_id = await hub.connect(), await define_purpose(hub)
    await people(hub, channel, purpose_id, agreed=2, silent=1)
    rita = await visit(hub, "Rita Roth", role="admin")
    assert "Der erste Newsletter" in await rita.page("/campaigns")
    made = await rita.post("/campaigns", headers=PAGE, name="Winterreifen", purpose=ids.show("pur", purpose_id))
    here = made.headers["location"].removeprefix(rita.base)
    chn = ids.show("chn", channel.id)
    form = {
        "name": "Winterreifen",
        "purpose": ids.show("pur", purpose_id),
        "with": chn,
        "channel": chn,
        f"text-{chn}": "Hallo {{first_name}}, sie sind da.",
        f"price-{chn}": "0,072",
        "simulate": "yes",
    }
    wrong = await rita.post(here, headers=PAGE, **{**form, f"price-{chn}": "teuer"})
    assert wrong.status_code == 422 and "zum Beispiel 0,072" in wrong.text and "sie sind da." in wrong.text
    assert (await rita.post(here, headers=PAGE, **form)).status_code == 303
    page = await rita.page(here)
    assert "Keine Einwilligung zum Zweck" in page and "0,14 €" in page and "Hallo Jörg, sie sind da." in page
    assert "2 Nachrichten senden" in page
    talk = re.search(r'<option value="(conv_\w+)"', page)
    assert talk
    assert (await rita.post(f"{here}/test", headers=PAGE, conversation=talk[1])).status_code in (303, 409)
    assert (await rita.post(f"{here}/start", headers=PAGE)).status_code == 303
    await work(hub)
    assert "noch keine Schätzung" in await rita.page(here)
    await hub.settle()
    hub.clock.advance(seconds=5)
    await work(hub)
    page = await rita.page(here)
    assert "Fertig" in page and "2 von 2" in page
    recipients = await rita.page(f"{here}/recipients")
    assert recipients.count("Einwilligung liegt vor") == 3 and "Keine Einwilligung zum Zweck" in recipients  # two and the filter
    exported = await rita.client.get(f"{rita.base}{here}/export")
    assert len(exported.text.strip().splitlines()) == 4 and "no_consent" in exported.text
    jonas = await visit(hub)
    assert "Not-Halt" not in await jonas.page(here)
    assert (await jonas.post(f"{here}/copy")).status_code == 403
    english = await visit(hub, "Emma Stone", role="admin", locale="en")
    assert "Who gets it" in await english.page(here)
