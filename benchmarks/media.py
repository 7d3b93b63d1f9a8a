"""B1 and B3 with media: every tenth message has a document, by turns with text only on the same hub."""

import asyncio
import json
import time
from contextlib import AsyncExitStack
from typing import Final

import httpx

from benchmarks import b1, b3
from benchmarks.load import EVERY, FIRST_NUMBER, FIRST_PERSON
from benchmarks.place import DRAIN_SECONDS, Place
from benchmarks.report import Figure, Section
from hub.sandbox.samples import read as sample

GOAL: Final = 0.9
"""At most 10 % less than with text only."""
NAME: Final = "Rechnung.pdf"


async def known_document(place: Place, content: bytes) -> str:
    """A document that the simulator hands out, as a message shows it (JSON)."""
    bot = b3.TOKEN.partition(":")[0]
    query = {"kind": "document", "name": NAME, "media_type": "application/pdf"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{place.sandbox_port}/control", trust_env=False) as control:
        raw = {"content-type": "application/octet-stream"}
        answer = (await control.post(f"/bots/{bot}/files", params=query, content=content, headers=raw)).raise_for_status()
    return json.dumps(answer.json()["document"])


async def all_fetched(place: Place) -> float:
    """Wait until no file waits to be fetched; seconds waited."""
    started = time.monotonic()
    while await place.value("SELECT EXISTS (SELECT FROM attachment WHERE state = 'waiting')"):
        if time.monotonic() - started > DRAIN_SECONDS:
            raise AssertionError("the files do not all come")
        await asyncio.sleep(0.1)
    return time.monotonic() - started


async def measure(place: Place, *, quick: bool) -> Section:
    """Runs with and without documents alternate; each begins when all files of the one before are fetched."""
    section = Section("media", "B1 and B3 with media")
    runs, seconds, count = (2, 3.0, 1000) if quick else (5, 5.0, 5000)
    people = [FIRST_PERSON + number for number in range(500 if quick else 2000)]
    content = sample("document.pdf")
    accepted: dict[bool, list[float]] = {False: [], True: []}
    applied: dict[bool, list[float]] = {False: [], True: []}
    sent: dict[bool, list[float]] = {False: [], True: []}
    late: dict[bool, list[float]] = {False: [], True: []}
    async with AsyncExitStack() as stack:
        place.start_hub()
        sending = await b3.set_up(place, await stack.enter_async_context(place.runtime()), people)
        receiving = b1.Run(place, section, 0, first=FIRST_NUMBER + len(people), people=len(people))
        documents = {False: ("", b""), True: (await known_document(place, content), content)}
        for has_media in (True, False):
            receiving.document, sending.document = documents[has_media]
            await receiving.accepted(sending.shop, 2.0)
            await sending.dispatch(200)
        await all_fetched(place)
        await place.settle()
        for number in range(runs):
            section.note_load()
            for has_media in (bool(number % 2), not number % 2):  # who goes first changes
                receiving.document, sending.document = documents[has_media]
                accepted[has_media].append((await receiving.accepted(sending.shop, seconds)).per_second)
                await all_fetched(place)
                applied[has_media].append(await receiving.applied(sending.shop, seconds))
                late[has_media].append(await all_fetched(place))
                sent[has_media].append(await sending.dispatch(count))
        outcomes = await place.value("SELECT count(*) FROM attempt WHERE outcome <> 'accepted'")
        files = await place.fetch("SELECT state, count(*) AS n FROM attachment WHERE event_key <> '' GROUP BY state")
    came = {row["state"]: row["n"] for row in files}
    for name, values in (
        ("B1 a: accepted a second", accepted),
        ("B1 b: applied a second, 1 channel", applied),
        ("B3: messages out a second", sent),
    ):
        section.figures += [
            Figure(f"{name}, text only", values[False]),
            Figure(f"{name}, every tenth with a document", values[True]),
            Figure("share", [one / other for one, other in zip(values[True], values[False], strict=True)], goal=GOAL, digits=2),
        ]
    section.figures += [
        Figure("webhooks lost or doubled in any run", [receiving.lost], goal=0, better="less"),
        Figure("attempts not accepted", [outcomes], goal=0, better="less"),
        Figure("B1 b: from the end of a run until its last file is there", late[True], "s", digits=1),
        Figure("files that did not come", [sum(came.values()) - came.get("stored", 0)], goal=0, better="less"),
    ]
    section.notes = [
        f"Every {EVERY}th message, in and out, has a PDF of {len(content):,} bytes. Those that come in are really fetched while "
        "webhooks are taken and applied: getFile and download at the simulator, examined, durably in the store. Those that go out "
        "are read from the store and sent by multipart. The simulator, which answers all that, shares the cores with the hub.",
        f"{came.get('stored', 0):,} files were fetched. Runs with and without documents alternate on one hub, and each begins when "
        "all files of the one before are there.",
    ]
    return section
