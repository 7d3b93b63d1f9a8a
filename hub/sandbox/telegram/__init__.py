"""Telegram without Telegram. Bot API 10.2; where a rule is not in its reference it is taken from `tdlib/telegram-bot-api`.

world.py      bots and people; chats.py their chats; updates.py what a bot gets to know
doing.py      what a person does with a phone; samples.py what they can send at a touch
files.py      the files a bot knows; media.py as contents of a message; facts.py what a file is
entities.py   formatting; html.py and markdown.py read mark-up; markup.py reads buttons
faults.py     what goes wrong on demand; limits.py Telegram's rate limits; errors.py the refusals and their texts
webhook.py    how updates reach the address a bot has set
server.py     `/bot<token>/<method>` and `/file/bot<token>/<path>` over HTTP; arguments.py, downloads.py what goes in and out
methods/      what each method does
"""
