"""Messages that carry one file, and the way to the files that people sent."""

from typing import Final

from hub.sandbox.telegram.arguments import Arguments
from hub.sandbox.telegram.errors import FILE_TOO_BIG, FILE_UNAVAILABLE, bad, too_many
from hub.sandbox.telegram.files import LARGEST_DOWNLOAD
from hub.sandbox.telegram.media import CAPTIONED, MediaKind, Medium, content_of, content_of_known
from hub.sandbox.telegram.methods.call import Call, Done, Method, caption_of_call, send
from hub.sandbox.telegram.wire import Json
from hub.sandbox.telegram.world import Bot

NAMES: Final[dict[MediaKind, str]] = {
    "photo": "sendPhoto", "video": "sendVideo", "animation": "sendAnimation", "audio": "sendAudio", "voice": "sendVoice",
    "video_note": "sendVideoNote", "document": "sendDocument", "sticker": "sendSticker",
}  # fmt: skip
ATTACHED: Final = "attach://"


def media_content(bot: Bot, arguments: Arguments, kind: MediaKind, given: str, told: Json) -> Json:
    """The fields of the file that `given` names: an upload, a file Telegram has, or an address. `told` is what the bot says about
    it (duration, title …). Raises Refused."""
    part = given.removeprefix(ATTACHED) if given.startswith(ATTACHED) else "" if given else kind
    upload = arguments.files.get(part)
    if upload is not None:
        thumbnail = arguments.files.get(str(told.get("thumbnail", "")).removeprefix(ATTACHED) or "thumbnail")
        medium = Medium(
            kind,
            upload.data,
            upload.name,
            upload.media_type,
            duration=_number(told, "duration"),
            width=_number(told, "length" if kind == "video_note" else "width"),
            height=_number(told, "height"),
            title=str(told.get("title", "")),
            performer=str(told.get("performer", "")),
            emoji=str(told.get("emoji", "")),
            thumbnail=b"" if thumbnail is None else thumbnail.data,
        )
        return content_of(bot.files, medium)
    if part or not given:
        raise bad(f"there is no {kind.replace('_', ' ')} in the request")
    known = bot.files.find(given)
    if known is not None:
        return content_of_known(bot.files, kind, known)
    if given.startswith(("http://", "https://")) and kind != "video_note":
        raise bad("failed to get HTTP URL content")  # the simulator asks no other machine
    raise bad("wrong file identifier/HTTP URL specified")


def _number(told: Json, name: str) -> int:
    value = str(told.get(name, ""))
    return int(value) if value.isdecimal() and len(value) < 10 else 0


def _sender(kind: MediaKind) -> Method:
    async def method(call: Call) -> Done:
        arguments = call.arguments
        told = {
            name: arguments.text(name)
            for name in ("duration", "width", "height", "length", "title", "performer", "emoji", "thumbnail")
            if arguments.text(name)
        }
        caption = caption_of_call(arguments) if kind in CAPTIONED else {}
        return send(call, media_content(call.bot, arguments, kind, arguments.text(kind), told) | caption)

    return method


async def _get_file(call: Call) -> Done:
    file_id, faults = call.arguments.text("file_id"), call.bot.faults
    if not file_id:
        raise bad("file_id not specified")
    limited = faults.take("file_limited")
    if limited is not None:
        raise too_many(limited.wait())
    file = call.bot.files.find(file_id)
    if file is None:
        raise bad("invalid file_id")
    if file.size > LARGEST_DOWNLOAD or faults.take("file_too_big"):
        raise bad(FILE_TOO_BIG)
    if faults.take("file_gone"):
        raise bad(FILE_UNAVAILABLE)
    return Done(file.as_json() | {"file_path": call.bot.files.open_path(file)})


METHODS: Final[dict[str, Method]] = {name: _sender(kind) for kind, name in NAMES.items()} | {"getFile": _get_file}
