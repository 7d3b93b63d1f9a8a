"""Telegram without Telegram. Bot API 10.2; where a rule is not in its reference it is taken from `tdlib/telegram-bot-api`.

world.py     bots, people, chats, messages, and what a person does with a phone; no network
faults.py    what goes wrong on demand
webhook.py   how updates reach the address a bot has set
server.py    `/bot<token>/<method>`: the Bot API over HTTP
"""
