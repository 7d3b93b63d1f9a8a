"""What signal-cli can be asked, whichever road asks for it."""

from collections.abc import Sequence
from typing import Final

from hub.sandbox.faults import Faults
from hub.sandbox.signal.calls import NUMBER, Failure, Params, must_be_known, only, recipient_of, texts
from hub.sandbox.signal.envelopes import Json
from hub.sandbox.signal.mailbox import Mailbox
from hub.sandbox.signal.world import Account, World

VERSION: Final = "0.14.6"


class SignalCli:
    def __init__(self, world: World, faults: Faults, mailbox: Mailbox) -> None:
        self._world = world
        self._faults = faults
        self._mailbox = mailbox

    def account(self, number: object) -> Account:
        if number != self._world.account.number:
            raise Failure(-32602, "Specified account does not exist")
        return self._world.account

    async def receive(self, params: Params) -> Sequence[Json]:
        """Only these two parameters, which the real one reads into a record."""
        only(params, {"timeout", "maxMessages"}, code=-32600)
        if self._world.account.receives:
            raise Failure(-1, "Receive command cannot be used if messages are already being received.")
        must_be_known(self._world, self._faults)
        timeout, most = params.get("timeout", 3.0), params.get("maxMessages", -1)
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or type(most) is not int:
            raise Failure(-32600, "Cannot deserialize value")
        return await self._mailbox.take(float(timeout), most)

    def status(self, params: Params) -> Sequence[Json]:
        only(params, {"recipient", "username"})
        must_be_known(self._world, self._faults)
        account = self._world.account
        found = []
        for number in texts(params, "recipient"):
            if not NUMBER.fullmatch(number):
                raise Failure(-1, f"Invalid phone number '{number}'")
            person = self._world.find(number)
            uuid = account.uuid if number == account.number else person.uuid if person else None
            found.append({"recipient": number, "number": number, "uuid": uuid, "isRegistered": uuid is not None})
        for name in texts(params, "username"):
            named = next((one for one in self._world.people.values() if one.username == name), None)
            uuid = named.uuid if named else None
            found.append({"recipient": name, "username": name, "uuid": uuid, "isRegistered": uuid is not None})
        return found

    def identities(self) -> Sequence[Json]:
        return [
            {
                "number": person.number or None,
                "uuid": person.uuid,
                "fingerprint": "05",
                "safetyNumber": "12345" * 12,
                "scannableSafetyNumber": None,
                "trustLevel": "TRUSTED_UNVERIFIED" if person.is_trusted else "UNTRUSTED",
                "addedTimestamp": 1771232400123,
            }
            for person in self._world.people.values()
        ]

    def trust(self, params: Params) -> Json:
        """What was kept until now arrives, late and with its old time."""
        only(params, {"recipient", "trustAllKnownKeys", "verifiedSafetyNumber"})
        _, person = recipient_of(self._world, params)
        if person is None or not (params.get("trustAllKnownKeys") or params.get("verifiedSafetyNumber")):
            raise Failure(-1, "Failed to set the trust for this number, make sure the number is correct.")
        person.is_trusted = True
        held, person.held = person.held, []
        for envelope in held:
            self._mailbox.put(envelope)
        return {}

    def submit_challenge(self, params: Params) -> Json:
        only(params, {"challenge", "captcha"})
        account = self._world.account
        if params.get("challenge") != account.challenge or not str(params.get("captcha", "")).startswith("signalcaptcha://"):
            raise Failure(-6, "Captcha rejected, it may be outdated, already used or solved from a different IP address.")
        account.challenge = ""
        return {}

    def attachment(self, id_: object) -> bytes:
        if not isinstance(id_, str) or not id_:
            raise Failure(-1, "Missing attachment id parameter")
        content = self._world.attachments.get(id_)
        if content is None or self._faults.take("file_gone"):
            raise Failure(-1, f"Could not find attachment with ID: {id_}")
        return content

    def sticker(self, params: Params) -> bytes:
        only(params, {"packId", "stickerId"})
        content = self._world.stickers.get((params.get("packId", ""), params.get("stickerId", -1)))
        if content is None:
            raise Failure(-1, f"Could not find sticker with ID: {params.get('stickerId')} in pack {params.get('packId')}")
        return content
