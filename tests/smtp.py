"""An SMTP server of the tests' own, on a loopback port."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from pydantic import SecretStr

from hub.core.settings import Settings


class Inbox:
    """Takes what is sent to `@radwerk.example` and refuses everybody else."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]) -> str:
        if not address.endswith("@radwerk.example"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        content = envelope.original_content
        assert content is not None
        self.mails.append(message_from_bytes(content, policy=policy.default))
        return "250 taken"


@dataclass
class MailServer:
    inbox: Inbox
    port: int

    def settings(self, user: str = "") -> Settings:
        return Settings(smtp_url=SecretStr(f"smtp://{user}127.0.0.1:{self.port}"), mail_from="hub@radwerk.example")


@pytest.fixture
async def smtp() -> AsyncIterator[MailServer]:
    inbox = Inbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(inbox), "127.0.0.1", 0)
    yield MailServer(inbox, server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
