"""Kinds that only these messengers have, and what happens beside the phone: a colleague in the inbox, a decision of Meta's."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Protocol

from hub.core import clock
from hub.sandbox._graph.delivering import Webhooks, milliseconds
from hub.sandbox._graph.refusals import Json
from hub.sandbox._graph.world import APP_ID, Page, Thread, World
from hub.sandbox.messengers import PhoneFile, PhoneLine


class Doing(Protocol):
    """What of the phone is needed here."""

    def said(self, page: Page, thread: Thread, line: PhoneLine, message: Json) -> None: ...

    def told(self, page: Page, thread: Thread, line: PhoneLine, app_id: str) -> None: ...

    def link(self, file: PhoneFile) -> str: ...


INBOX: Final = "263902037430900"
"""The app id of the inbox in which a page's people answer."""
THUMB: Final = 369239263222822
PIXEL: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
"""A red dot, for pictures whose look does not matter."""
YEAR_MILLISECONDS: Final = 365 * 86_400_000

Extra = Callable[[Doing, World, Webhooks, Page, Thread], None]


def _picture(phone: Doing, world: World, name: str) -> str:
    """The address of a small picture."""
    kept = world.keep_file(PhoneFile(id="", kind="image", name=name, mime="image/png", size=len(PIXEL)), PIXEL)
    return phone.link(kept)


def _write(text: str = "", shown: str = "", attachment: Callable[[str], Json] | None = None, **more: Any) -> Extra:
    """A message with something besides its text; `attachment` is made of the address of a picture, `shown` is how the phone names
    it."""

    def write(phone: Doing, world: World, webhooks: Webhooks, page: Page, thread: Thread) -> None:
        line = PhoneLine(id=world.next_mid(), at=clock.now(), is_theirs=False, text=text or shown, state="delivered")
        message: Json = {"mid": line.id} | ({"text": text} if text else {})
        if attachment is not None:
            message["attachments"] = [attachment(_picture(phone, world, f"{line.id[-6:]}.png"))]
        phone.said(page, thread, line, message | more)

    return write


def _answer_story(phone: Doing, world: World, webhooks: Webhooks, page: Page, thread: Thread) -> None:
    story = {"id": "17990044120035518", "url": _picture(phone, world, "story.png")}
    _write(text="Was kostet das?", reply_to={"story": story})(phone, world, webhooks, page, thread)


def _come(**referral: Any) -> Extra:
    """A link or an ad led the person back into the thread."""

    def come(phone: Doing, world: World, webhooks: Webhooks, page: Page, thread: Thread) -> None:
        thread.acted(clock.now())
        webhooks.event(page, thread, "referral", {"type": "OPEN_THREAD", **referral})

    return come


def _opt(status: str) -> Extra:
    """Marketing messages: agreed to, stopped, resumed."""

    def opt(phone: Doing, world: World, webhooks: Webhooks, page: Page, thread: Thread) -> None:
        token = f"88300{thread.person.id}"
        world.tickets[f"notification_messages_token:{token}"] = (page, thread)
        told: Json = {"type": "notification_messages", "payload": "newsletter", "title": "Angebote"}
        if status:
            told["notification_messages_status"] = status
        if status != "RESUME_NOTIFICATIONS":
            told["notification_messages_token"] = token
            told["token_expiry_timestamp"] = milliseconds(clock.now()) + YEAR_MILLISECONDS
        webhooks.event(page, thread, "optin", told)

    return opt


def _tick(phone: Doing, world: World, webhooks: Webhooks, page: Page, thread: Thread) -> None:
    """A box on the business's website: who it was is not told."""
    ref = f"ur-{world.next_number()}"
    world.tickets[f"user_ref:{ref}"] = (page, thread)
    webhooks.about(page, "optin", {"ref": "checkbox-7", "user_ref": ref}, sender={"user_ref": ref})


def _answer_in_inbox(phone: Doing, world: World, webhooks: Webhooks, page: Page, thread: Thread) -> None:
    """A colleague answers in the page's own inbox, which owns the thread from then on."""
    line = PhoneLine(id=world.next_mid(), at=clock.now(), is_theirs=True, text="Das übernehme ich hier.")
    thread.lines.append(line)
    change = {"previous_owner_app_id": APP_ID, "new_owner_app_id": INBOX}
    webhooks.event(page, thread, "pass_thread_control", change)
    thread.owner = INBOX
    phone.told(page, thread, line, INBOX)


def _release(phone: Doing, world: World, webhooks: Webhooks, page: Page, thread: Thread) -> None:
    thread.owner = ""
    change = {"previous_owner_app_id": INBOX, "new_owner_app_id": APP_ID}
    webhooks.event(page, thread, "pass_thread_control", change)


def _decide(**decision: str) -> Extra:
    def decide(phone: Doing, world: World, webhooks: Webhooks, page: Page, thread: Thread) -> None:
        webhooks.about(page, "policy_enforcement", decision)

    return decide


def _unsubscribe(phone: Doing, world: World, webhooks: Webhooks, page: Page, thread: Thread) -> None:
    """What Meta does in silence when deliveries fail for an hour."""
    page.subscribed.clear()
    world.subscription = replace(world.subscription, is_active=False)


AD: Final = {"ref": "winter", "ad_id": "120330045518870", "source": "ADS", "ads_context_data": {"ad_title": "Winterräder"}}

EXTRAS: Final[dict[str, Extra]] = {
    "sticker": _write(shown="👍", attachment=lambda url: {"type": "sticker", "payload": {"url": url, "sticker_id": THUMB}}),
    "post": _write(text="Gibt es das noch?", attachment=lambda url: {"type": "post", "payload": {"url": url, "title": "Herbst"}}),
    "ig_post": _write(shown="📷", attachment=lambda url: {
        "type": "ig_post", "payload": {"ig_post_media_id": "18077120044120099", "title": "Neue Räder", "url": url}}),
    "story_reply": _answer_story,
    "story_mention": _write(shown="📷", attachment=lambda url: {"type": "story_mention", "payload": {"url": url}}),
    "heart": _write(shown="❤️", attachment=lambda url: {"type": "like_heart"}),
    "ephemeral": _write(shown="①", attachment=lambda url: {"type": "ephemeral"}),
    "unsupported": _write(shown="?", is_unsupported=True),
    "appointment": _write(shown="📅", attachment=lambda url: {"type": "appointment_booking", "payload": {"title": "Inspektion"}}),
    "ad": _write(text="Ich komme von der Anzeige", referral={**AD, "type": "OPEN_THREAD"}),
    "product": _write(text="Noch da?", referral={"product": {"id": "660018839241177"}}),
    "link": _come(ref="flyer-lindau", source="SHORTLINK"),
    "optin": _opt(""),
    "optin_stop": _opt("STOP_NOTIFICATIONS"),
    "optin_resume": _opt("RESUME_NOTIFICATIONS"),
    "tick": _tick,
    "inbox": _answer_in_inbox,
    "inbox_release": _release,
    "policy_block": _decide(action="block", reason="The page was restricted"),
    "policy_unblock": _decide(action="unblock"),
    "unsubscribe": _unsubscribe,
}  # fmt: skip
