"""The list of requirements with the test that proves each: `docs/requirements.csv`."""

import csv
from pathlib import Path
from typing import Final

LIST: Final = Path(__file__).parent.parent / "docs" / "requirements.csv"


def named_tests() -> dict[str, str]:
    """Requirement -> test id, for those that are not open."""
    with LIST.open(newline="") as file:
        return {row["id"]: row["test"] for row in csv.DictReader(file) if row["test"] != "open"}
