"""The account and where its updates go."""

import re
import time
from typing import Final

import httpx

from hub.sandbox.telegram.errors import CONFLICT_SET_WEBHOOK, bad, too_many
from hub.sandbox.telegram.methods import polling
from hub.sandbox.telegram.methods.call import Call, Done, Method
from hub.sandbox.telegram.updates import DEFAULT_UPDATES, UPDATE_KINDS, Address
from hub.sandbox.telegram.webhook import Webhook
from hub.sandbox.telegram.wire import Json
from hub.sandbox.telegram.world import Bot

PORTS: Final = (443, 80, 88, 8443)
LONGEST_SECRET: Final = 256


async def _get_me(call: Call) -> Done:
    about = {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": True,
        "has_main_web_app": False,
    }
    return Done(call.bot.as_user() | about)


async def _set_webhook(call: Call) -> Done:
    bot, arguments, options = call.bot, call.arguments, call.options
    url = arguments.text("url").strip()
    if not url:
        return await _delete_webhook(call)
    now = time.monotonic()
    if now < bot.next_set_webhook:
        raise too_many(1)
    bot.next_set_webhook = now + options.set_webhook_interval
    address = Address(
        url,
        arguments.text("secret_token"),
        arguments.integer("max_connections", 40, 1, 100_000 if options.is_local else 100),
        arguments.text("ip_address"),
        "certificate" in arguments.files,
    )
    is_same = bot.webhook is not None and bot.webhook.address == address and not address.has_certificate
    if is_same and not arguments.boolean("drop_pending_updates"):
        polling.allow_updates(bot, arguments)
        return Done(True, "Webhook is already set")
    _check(address, is_local=options.is_local)
    if arguments.boolean("drop_pending_updates"):
        bot.drop_pending()
    polling.allow_updates(bot, arguments)
    polling.end_poll(bot, CONFLICT_SET_WEBHOOK)
    if bot.webhook is not None:
        await bot.webhook.stop()
    bot.webhook = Webhook(bot, address, options, call.http, call.run)
    return Done(True, "Webhook was set")


def _check(address: Address, *, is_local: bool) -> None:
    """Raises Refused."""
    if len(address.secret_token) > LONGEST_SECRET:
        raise bad("secret token is too long")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", address.secret_token):
        raise bad("secret token contains unallowed characters")
    try:
        url = httpx.URL(address.url if "://" in address.url else f"https://{address.url}")
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("https", "http") or not url.host:
        raise bad("invalid webhook URL specified")
    if is_local:
        return
    if url.scheme != "https":
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if (url.port or 443) not in PORTS:
        raise bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


async def _delete_webhook(call: Call) -> Done:
    bot = call.bot
    if call.arguments.boolean("drop_pending_updates"):
        bot.drop_pending()
    if bot.webhook is None:
        return Done(True, "Webhook is already deleted")
    webhook, bot.webhook = bot.webhook, None
    await webhook.stop()
    return Done(True, "Webhook was deleted")


async def _get_webhook_info(call: Call) -> Done:
    return Done(webhook_info(call.bot))


def webhook_info(bot: Bot) -> Json:
    """WebhookInfo of the Bot API. `allowed_updates` is left out for the default set."""
    info: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": len(bot.live_pending())}
    if bot.webhook is not None:
        address = bot.webhook.address
        info |= {"url": address.url, "has_custom_certificate": address.has_certificate}
        if bot.webhook.last_error is not None:
            info["last_error_date"], info["last_error_message"] = bot.webhook.last_error
        info |= {"max_connections": address.max_connections, "ip_address": address.ip_address or "<unknown>"}
    if bot.allowed_updates != DEFAULT_UPDATES:
        info["allowed_updates"] = [kind for kind in UPDATE_KINDS if kind in bot.allowed_updates]
    return info


METHODS: Final[dict[str, Method]] = {
    "getMe": _get_me,
    "setWebhook": _set_webhook,
    "deleteWebhook": _delete_webhook,
    "getWebhookInfo": _get_webhook_info,
}
