"""The methods of the Bot API by group. A method is a coroutine function of a Call; its answer is Done or Refused.

    account.py     getMe, setWebhook, deleteWebhook, getWebhookInfo
    polling.py     getUpdates
    texts.py       sendMessage, sendChatAction
    media.py       sendPhoto and the other files; getFile
    albums.py      sendMediaGroup
    places.py      sendLocation, sendVenue, sendContact
    editing.py     editMessage…, deleteMessage(s)
    answering.py   answerCallbackQuery, setMessageReaction

What the real server knows and this one does not is answered 404 or 501, never silently done otherwise.
"""

from typing import Final

from hub.sandbox.telegram.methods import account, albums, answering, editing, media, places, polling, texts
from hub.sandbox.telegram.methods.call import Method

METHODS: Final[dict[str, Method]] = {
    name.lower(): method
    for group in (account, polling, texts, media, albums, places, editing, answering)
    for name, method in group.METHODS.items()
}
"""By their names in lower case: the real server does not mind the case."""
