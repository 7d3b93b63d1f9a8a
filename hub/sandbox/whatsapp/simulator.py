"""WhatsApp as one of the sandbox's messengers. One number, reached as through 360dialog and as through Meta's Cloud API."""

from typing import Any, Final

import httpx
from starlette.types import Receive, Scope, Send

from hub.sandbox.courier import Courier
from hub.sandbox.faults import Faults
from hub.sandbox.whatsapp.phone import WhatsAppPhone
from hub.sandbox.whatsapp.sending import Sending
from hub.sandbox.whatsapp.server import Server
from hub.sandbox.whatsapp.templates import Kept
from hub.sandbox.whatsapp.webhooks import Webhooks
from hub.sandbox.whatsapp.world import Number

PEOPLE: Final = (("Karin Bilgeri", "4915228817386"), ("Deniz Arslan", "491749464308"))


class WhatsAppSimulator:
    connector = "whatsapp"
    label = "WhatsApp"
    mark = "wa"

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.number = Number()
        self.faults = Faults()
        self.courier = Courier(http, self.faults)
        self._webhooks = Webhooks(self.number, self.courier)
        self.phone = WhatsAppPhone(self.number, self._webhooks)
        self._server = Server(self.number, Sending(self.number, self._webhooks), self.faults, http)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._server(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        """Through 360dialog, whose partner's secret signs too."""
        number = self.number
        return {"api_key": number.api_key, "platform_secret": number.platform_secret, "base_url": f"{origin}/whatsapp"}

    def meta_settings(self, origin: str) -> dict[str, Any]:
        """The same number through Meta's Cloud API."""
        number = self.number
        return {
            "provider": "meta",
            "access_token": number.access_token,
            "app_secret": number.app_secret,
            "phone_number_id": number.id,
            "waba_id": number.waba_id,
            "app_id": number.app_id,
            "base_url": f"{origin}/whatsapp",
        }

    def decide(self, name: str, language: str, event: str, **more: Any) -> None:
        """Meta's decision on a template: its new status, and the event that tells of it."""
        kept: Kept = self.number.templates.kept[name, language]
        kept.status = "APPROVED" if event == "REINSTATED" else event
        about = {"message_template_id": int(kept.id), "message_template_name": name, "message_template_language": language}
        value = {"event": event, "reason": "NONE", "message_template_category": kept.category} | about | more
        self._webhooks.affair("message_template_status_update", value)

    def point_to(self, callback_url: str) -> None:
        """Both roads are told by request."""

    async def stop(self) -> None:
        await self.courier.stop()


def create(http: httpx.AsyncClient) -> WhatsAppSimulator:
    simulator = WhatsAppSimulator(http)
    for name, phone in PEOPLE:
        simulator.number.add_person(name, phone)
    return simulator
