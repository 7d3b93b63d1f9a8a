"""An account's set-up and its health (provider file, 1 and 7)."""

import time
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import quote

from httpx import AsyncClient

from hub.connectors.contract import Account, SetupResult
from hub.connectors.errors import AuthFailed, CredentialsRejected, Rejected, Unavailable
from hub.connectors.events import ChannelHealth
from hub.connectors.whatsapp.access import TOKEN_HEADER, verify_token
from hub.connectors.whatsapp.api import ask, ask_set_up, base, of_number
from hub.connectors.whatsapp.codes import PAUSED
from hub.connectors.whatsapp.reading import Json, a_text, an_id, an_object, objects
from hub.connectors.whatsapp.settings import WhatsAppSettings
from hub.core import ids

FIELDS: Final = (
    "messages,user_preferences,message_template_status_update,message_template_quality_update,template_category_update,"
    "message_template_components_update,account_update,account_alerts,account_review_update,phone_number_quality_update,"
    "phone_number_name_update,business_capability_update,security,smb_message_echoes,history,smb_app_state_sync,standby,"
    "messaging_handovers"
)
"""What Meta shall tell us of; the last two are in no list of Meta's, and without them a conversation that its agent holds is lost
(1.2, 5.16)."""
NUMBER_FIELDS: Final = "display_phone_number,verified_name,quality_rating"
THROUGHPUT: Final = {"HIGH": 1000.0}
"""Messages per second of a number that Meta has raised (14)."""

Health = Literal["ok", "warning", "attention"]
Acc = Account[WhatsAppSettings]


async def set_up(account: Acc, callback_url: str | None, http: AsyncClient) -> SetupResult:
    """Check key and number, and register our address with a secret of its own. Raises what the contract says."""
    if callback_url is None:
        raise Rejected("needs_public_address")
    found = await _number(account, http)
    own_id = _own_id(account, found)
    if account.own_id not in ("", own_id):
        raise CredentialsRejected("phone_number_id" if account.settings.uses_meta else "api_key", reason="another_number")
    notes = await (_register_at_meta if account.settings.uses_meta else _register_at_360dialog)(account, callback_url, http)
    return SetupResult(
        own_id=own_id,
        address=a_text(found, "display_phone_number"),
        title=a_text(found, "verified_name"),
        notes=tuple(f"channel.whatsapp.note.{note}" for note in notes),
        per_second=THROUGHPUT.get(a_text(an_object(found, "throughput"), "level")),
    )


async def tear_down(account: Acc, http: AsyncClient) -> None:
    """360dialog: an empty address, where ours still stands. Meta: unsubscribe the business account, unless other numbers of it may
    be connected here too. Credentials that are gone, and a refusal, are fine."""
    try:
        await (_leave_meta if account.settings.uses_meta else _leave_360dialog)(account, http)
    except (AuthFailed, Rejected):
        return


async def look_after(account: Acc, http: AsyncClient) -> list[ChannelHealth]:
    """What the number says of itself; a subscription at Meta that was lost is made anew."""
    found = await _number(account, http)
    at = datetime.fromtimestamp(int(time.time()), UTC)
    told = [_availability(found), _quality(found), await _reachability(account, http)]
    problems = [one for one in told if one is not None] or [("ok", "available", "")]
    return [
        ChannelHealth(key=f"check:{cause}:{int(at.timestamp())}", at=at, level=level, cause=cause, text=text)
        for level, cause, text in problems
    ]


async def _number(account: Acc, http: AsyncClient) -> Json:
    """What the provider says of the number: 360dialog hands the fields of Meta's through (README)."""
    if not account.settings.uses_meta:
        return await ask_set_up(
            account, http, "GET", f"{account.settings.root}/health_status?fields={quote(NUMBER_FIELDS, safe='')}"
        )
    fields = quote(f"id,{NUMBER_FIELDS},throughput,health_status", safe="")
    return await ask_set_up(account, http, "GET", f"{of_number(account.settings)}?fields={fields}", absent="phone_number_id")


def _own_id(account: Acc, found: Json) -> str:
    entities = objects(an_object(found, "health_status"), "entities")
    entity = next((one for one in entities if a_text(one, "entity_type") == "PHONE_NUMBER"), {})
    own_id = an_id(found, "id") or an_id(entity, "id")
    if not own_id:
        raise Unavailable("unreadable_answer")
    return own_id


async def _register_at_360dialog(account: Acc, callback_url: str, http: AsyncClient) -> list[str]:
    url = f"{account.settings.root}/v1/configs/webhook"
    before = a_text(await ask_set_up(account, http, "GET", url), "url")
    wanted = {"url": callback_url, "headers": {_header_name(): account.webhook_secrets[0]}}
    await ask_set_up(account, http, "POST", url, json=wanted)
    return ["webhook_replaced"] if before not in ("", callback_url) else []


async def _register_at_meta(account: Acc, callback_url: str, http: AsyncClient) -> list[str]:
    """The app's address, which Meta tests at once, then the business account."""
    settings = account.settings
    form = {
        "object": "whatsapp_business_account",
        "callback_url": callback_url,
        "verify_token": verify_token(account.webhook_secrets[0]),
        "fields": FIELDS,
    }
    await ask_set_up(account, http, "POST", f"{base(settings)}/{settings.app_id}/subscriptions", form=form, of_app=True)
    await ask_set_up(account, http, "POST", _subscription(account), absent="waba_id")
    return []


async def _leave_360dialog(account: Acc, http: AsyncClient) -> None:
    url = f"{account.settings.root}/v1/configs/webhook"
    if _is_ours(account, a_text(await ask(account, http, "GET", url), "url")):
        await ask(account, http, "POST", url, json={"url": "", "headers": {}})


async def _leave_meta(account: Acc, http: AsyncClient) -> None:
    settings = account.settings
    numbers = await ask(account, http, "GET", f"{base(settings)}/{settings.waba_id}/phone_numbers?fields=id")
    if {an_id(one, "id") for one in objects(numbers, "data")} <= {settings.phone_number_id}:
        await ask(account, http, "DELETE", _subscription(account))


async def _reachability(account: Acc, http: AsyncClient) -> tuple[Health, str, str] | None:
    """Whether what comes in still comes to us."""
    settings = account.settings
    if not settings.uses_meta:
        found = await ask_set_up(account, http, "GET", f"{settings.root}/v1/configs/webhook")
        return None if _is_ours(account, a_text(found, "url")) else ("warning", "webhook_elsewhere", "")
    apps = objects(await ask_set_up(account, http, "GET", _subscription(account), absent="waba_id"), "data")
    if all(an_id(an_object(one, "whatsapp_business_api_data"), "id") != settings.app_id for one in apps):
        await ask_set_up(account, http, "POST", _subscription(account), absent="waba_id")
        return "warning", "subscription_renewed", ""
    return None


def _availability(found: Json) -> tuple[Health, str, str] | None:
    health = an_object(found, "health_status")
    word = a_text(health, "can_send_message")
    if word not in ("LIMITED", "BLOCKED"):
        return None
    errors = [error for entity in objects(health, "entities") for error in objects(entity, "errors")]
    code = errors[0].get("error_code") if errors else None
    cause = PAUSED.get(code) if type(code) is int else None
    text = " ".join(a_text(error, "error_description") for error in errors)
    return ("attention", cause or "blocked", text) if word == "BLOCKED" else ("warning", cause or "limited", text)


def _quality(found: Json) -> tuple[Health, str, str] | None:
    rating = a_text(found, "quality_rating")
    return ("warning", "quality", rating) if rating in ("YELLOW", "RED") else None


def _is_ours(account: Acc, url: str) -> bool:
    return url.endswith(f"/hooks/whatsapp/{ids.show('chn', account.channel_id)}")


def _header_name() -> str:
    return "-".join(word.capitalize() for word in TOKEN_HEADER.split("-"))


def _subscription(account: Acc) -> str:
    return f"{base(account.settings)}/{account.settings.waba_id}/subscribed_apps"
