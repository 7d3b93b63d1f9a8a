"""Places and people as messages."""

from typing import Final

from hub.sandbox.telegram.arguments import Arguments
from hub.sandbox.telegram.errors import bad
from hub.sandbox.telegram.methods.call import Call, Done, Method, send
from hub.sandbox.telegram.wire import Json, present

LIVE_SECONDS: Final = (60, 86_400)
FOREVER: Final = 0x7FFFFFFF
"""A live location that has no end."""
LONGEST_VCARD: Final = 2048


async def _send_location(call: Call) -> Done:
    location = _location(call.arguments)
    period = call.arguments.integer("live_period")
    if period and period != FOREVER and not LIVE_SECONDS[0] <= period <= LIVE_SECONDS[1]:
        raise bad("wrong live location period specified")
    accuracy = call.arguments.decimal("horizontal_accuracy")
    more = present(live_period=period or None, horizontal_accuracy=accuracy or None)
    return send(call, {"location": location | more})


async def _send_venue(call: Call) -> Done:
    location, arguments = _location(call.arguments), call.arguments
    if not arguments.text("title") or not arguments.text("address"):
        raise bad("venue title and address must be non-empty")  # exact text unconfirmed
    told = {name: arguments.text(name) for name in ("foursquare_id", "foursquare_type", "google_place_id", "google_place_type")}
    venue = {"location": location, "title": arguments.text("title"), "address": arguments.text("address")} | present(**told)
    return send(call, {"location": location, "venue": venue})


async def _send_contact(call: Call) -> Done:
    arguments = call.arguments
    contact = {"phone_number": arguments.required("phone_number"), "first_name": arguments.required("first_name")}
    if len(arguments.text("vcard").encode()) > LONGEST_VCARD:
        raise bad("vCard is too long")  # exact text unconfirmed
    return send(call, {"contact": contact | present(last_name=arguments.text("last_name"), vcard=arguments.text("vcard"))})


def _location(arguments: Arguments) -> Json:
    """Raises Refused."""
    for name in ("latitude", "longitude"):
        if not arguments.text(name).strip():
            raise bad(f"{name} is empty")
    latitude, longitude = arguments.decimal("latitude"), arguments.decimal("longitude")
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise bad("wrong location specified")  # exact text unconfirmed
    return {"latitude": latitude, "longitude": longitude}


METHODS: Final[dict[str, Method]] = {"sendLocation": _send_location, "sendVenue": _send_venue, "sendContact": _send_contact}
