"""Mail over a real SMTP server of the test's own."""

import pytest
from pydantic import SecretStr, ValidationError

from hub.core.clock import FakeClock
from hub.core.mail import MailFailed, can_send, send_mail
from hub.core.settings import Settings
from tests.smtp import MailServer


async def test_a_mail_arrives_as_it_was_written(smtp: MailServer, clock: FakeClock) -> None:
    text = "Grüß Gott,\n\nhier ist Ihr Link: https://hub.example/join/abc\n"
    await send_mail(smtp.settings(), to="jonas@radwerk.example", subject="Einladung – Größe 42", text=text)
    [mail] = smtp.inbox.mails
    assert (mail["from"], mail["to"], mail["subject"]) == (
        "hub@radwerk.example",
        "jonas@radwerk.example",
        "Einladung – Größe 42",
    )
    assert mail["date"] == "Tue, 24 Nov 2026 09:00:00 +0000"
    assert mail.get_content().replace("\r\n", "\n") == text


async def test_a_line_break_in_a_subject_starts_no_header(smtp: MailServer) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        await send_mail(smtp.settings(), to="jonas@radwerk.example", subject="a\nBcc: all@radwerk.example", text="x")
    assert smtp.inbox.mails == []


async def test_a_refused_recipient_is_told(smtp: MailServer) -> None:
    with pytest.raises(MailFailed) as error:
        await send_mail(smtp.settings(), to="jonas@elsewhere.example", subject="x", text="x")
    assert "elsewhere" not in str(error.value)
    assert smtp.inbox.mails == []


async def test_a_password_never_travels_in_the_clear(smtp: MailServer) -> None:
    """I10: the server offers no TLS, so nothing is sent, and the error names no secret."""
    with pytest.raises(MailFailed) as error:
        await send_mail(smtp.settings("hub:geheim42@"), to="jonas@radwerk.example", subject="x", text="x")
    assert "geheim42" not in f"{error.value!r} {error.value.__cause__!r}"
    assert smtp.inbox.mails == []


async def test_an_unreachable_server_is_told() -> None:
    settings = Settings(smtp_url=SecretStr("smtp://127.0.0.1:1"), mail_from="hub@radwerk.example")
    with pytest.raises(MailFailed):
        await send_mail(settings, to="jonas@radwerk.example", subject="x", text="x")


def test_without_a_server_nothing_can_be_sent() -> None:
    assert not can_send(Settings())


def test_a_wrong_address_stops_the_start_without_showing_it() -> None:
    with pytest.raises(ValidationError) as error:
        Settings(smtp_url=SecretStr("mail.example:geheim42"))
    assert "geheim42" not in str(error.value)
