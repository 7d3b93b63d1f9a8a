"""Mail: one message over the operator's SMTP server (HUB_SMTP_URL). Rooms write the words through the catalogue.

Without HUB_SMTP_URL the hub sends no mail, and whoever would have sent one says so on the page and shows what it would have said.
"""

from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from hub.core import clock
from hub.core.errors import HubError
from hub.core.settings import Settings

TIMEOUT_SECONDS: Final = 10.0
PORTS: Final = {"smtp": 587, "smtps": 465}


class MailFailed(HubError):
    """The SMTP server cannot be reached or does not take the message. Nothing was sent; it may be tried again."""

    code = "mail_failed"
    http_status = 502


def can_send(settings: Settings) -> bool:
    """Whether this installation has an SMTP server."""
    return settings.smtp_url is not None


async def send_mail(settings: Settings, *, to: str, subject: str, text: str) -> None:
    """Send one plain-text mail and return when the server has taken it. Raises MailFailed, which names no secret and no address.

    `smtps://` is TLS from the first byte; `smtp://` changes to TLS where the server offers it, and a user name is only sent then.
    Must not be called inside a transaction.
    """
    if settings.smtp_url is None:
        raise MailFailed("HUB_SMTP_URL is not set")
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(domain=settings.mail_from.rpartition("@")[2])
    message.set_content(text)
    try:
        async with _server(settings.smtp_url.get_secret_value()) as server:
            await server.send_message(message)
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailFailed(type(error).__name__) from error


async def check_server(settings: Settings) -> None:
    """Connect and log in as for a mail, and send none. Raises MailFailed."""
    if settings.smtp_url is None:
        raise MailFailed("HUB_SMTP_URL is not set")
    try:
        async with _server(settings.smtp_url.get_secret_value()) as server:
            await server.noop()
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailFailed(type(error).__name__) from error


def _server(url: str) -> aiosmtplib.SMTP:
    server = urlsplit(url)
    return aiosmtplib.SMTP(
        hostname=server.hostname,
        port=server.port or PORTS[server.scheme],
        username=unquote(server.username) if server.username else None,
        password=unquote(server.password) if server.password else None,
        use_tls=server.scheme == "smtps",
        start_tls=True if server.username and server.scheme == "smtp" else None,
        timeout=TIMEOUT_SECONDS,
    )
