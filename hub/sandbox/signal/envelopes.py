"""What signal-cli says of what it received (provider file, 3)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.sandbox.signal.world import Account, Person

Json = dict[str, Any]
SERVER_TAKES, SERVER_GIVES = 120, 240
"""Milliseconds from the phone to the server, and from there to signal-cli."""


def envelope(account: Account, source: Json, timestamp: int, **said: Json) -> Json:
    """With `said` by the name of what it is: `dataMessage` and so on. `exception` stands beside the envelope."""
    exception = {"exception": said.pop("exception")} if "exception" in said else {}
    inner = source | {
        "timestamp": timestamp,
        "serverReceivedTimestamp": timestamp + SERVER_TAKES,
        "serverDeliveredTimestamp": timestamp + SERVER_GIVES,
    }
    return {"account": account.number, **exception, "envelope": inner | said}


def from_person(person: Person) -> Json:
    return {
        "source": person.number or person.uuid,
        "sourceNumber": person.number or None,
        "sourceUuid": person.uuid,
        "sourceName": person.name,
        "sourceDevice": 1,
    }


def from_account(account: Account) -> Json:
    """The own phone, whose linked device signal-cli is."""
    named = {"source": account.number, "sourceNumber": account.number, "sourceUuid": account.uuid, "sourceName": account.title}
    return named | {"sourceDevice": 1}


def data(timestamp: int, message: str | None, **said: Any) -> Json:
    plain = {"expiresInSeconds": 0, "isExpirationUpdate": False, "viewOnce": False}
    return {"timestamp": timestamp, "message": message} | plain | said


def attachment(id_: str, mime: str, name: str, size: int) -> Json:
    measures = {"width": None, "height": None, "caption": None, "uploadTimestamp": None}
    return {"contentType": mime, "filename": name or None, "id": id_, "size": size} | measures


def author(account: Account, person: Person, *, is_ours: bool, prefix: str) -> Json:
    """Somebody in the fields `{prefix}`, `{prefix}Number`, `{prefix}Uuid`."""
    number, uuid = (account.number, account.uuid) if is_ours else (person.number or None, person.uuid)
    return {prefix: number or uuid, f"{prefix}Number": number, f"{prefix}Uuid": uuid}


def receipt(timestamp: int, kind: str, timestamps: list[int]) -> Mapping[str, Any]:
    """`kind`: Delivery, Read or Viewed."""
    kinds = {f"is{one}": one == kind for one in ("Delivery", "Read", "Viewed")}
    return {"when": timestamp, **kinds, "timestamps": timestamps}


def at(timestamp: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=timestamp)
