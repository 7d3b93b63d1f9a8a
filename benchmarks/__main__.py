"""`python -m benchmarks [--quick] [b1 b2 …]`: measure and write docs/performance.md. `--quick` only prints, from short runs.

All of it takes about 45 minutes. Nothing else should run on the machine: the load average before each run is written down.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

from benchmarks import b1, b2, b3, b4, b5, b19, b20, history, media, newsletter, report
from benchmarks.place import Place
from benchmarks.report import Section

MEASUREMENTS: Final[dict[str, Callable[..., Awaitable[Section]]]] = {
    "b1": b1.measure,
    "b2": b2.measure,
    "b3": b3.measure,
    "history": history.measure,
    "media": media.measure,
    "newsletter": newsletter.measure,
    "b4": b4.measure,
    "b5": b5.measure,
    "b19": b19.measure,
    "b20": b20.measure,
}
QUIET: Final = 0.7
PATIENCE_SECONDS: Final = 300.0


def wait_until_quiet() -> None:
    """Other work on the machine spoils ratios; but it is waited for only so long, and then written down."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while os.getloadavg()[0] > QUIET and time.monotonic() < deadline:
        time.sleep(5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of {', '.join(MEASUREMENTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that everything works; writes nothing")
    given = parser.parse_args()
    if unknown := set(given.names) - set(MEASUREMENTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for name in given.names or MEASUREMENTS:
        if not given.quick:
            wait_until_quiet()
        with Place() as place:
            section, postgres = asyncio.run(_measure(place, name, given.quick))
        sys.stdout.write(section.text(postgres) + "\n")
        sys.stdout.flush()
        if not given.quick:
            report.write(section, postgres)


async def _measure(place: Place, name: str, quick: bool) -> tuple[Section, dict[str, str]]:
    postgres = await place.settings_of_postgres()
    return await MEASUREMENTS[name](place, quick=quick), postgres


if __name__ == "__main__":
    main()
