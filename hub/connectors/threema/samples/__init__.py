"""An invented account and the signing of its requests: what the conformance suite cannot read from the files beside.

`<name>.form` is one form from Threema, `<name>.events.json` what it means; the keys of both ends are those of the provider file
(set A), so that every box can be opened by hand: the person's private key stands in `PERSON_KEY`. `docs/connectors.md` describes
the files.
"""

from typing import Final
from urllib.parse import parse_qsl, urlencode

from hub.connectors.contract import RawRequest
from hub.connectors.errors import MalformedPayload
from hub.connectors.threema.callback import code_of

SETTINGS: Final = {
    "gateway_id": "*HUBTST1",
    "api_secret": "Zq4vT8mWc1LdYp0K",
    "private_key": "4e241f0ba1c975762725861de1d9ae2b056aa136c735bcd92b5d565e739bfa91",
}
OWN_ID: Final = "*HUBTST1"
SECRETS: Final = ("Zq4vT8mWc1LdYp0K", "Zq4vT8mWc1LdBefore")
SIGNED_WITH: Final = "api_secret"
PERSON_KEY: Final = bytes.fromhex("a9aad4e379179e3657f9e9b6f15db0a44f72d2670ece22f33368da9e65babb45")
PEER_KEY: Final = bytes.fromhex("4f8a3d757ca128ec66836aefbafc8a40705610fa7f7cf6c91617c2f74ac01016")

EXEMPT: Final = {
    "verify:old": "the date of a form is by the sender's clock, and Threema tries again for a quarter of an hour",
    "verify:rotation": "Threema signs with the API secret, of which an id has one",
}
"""Checks of the suite that cannot apply to Threema, and why."""


def sign(body: bytes, secret: str) -> RawRequest:
    """The request as Threema sends it: the code rides in the form. A body that is no such form stays as it is."""
    fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        fields["mac"] = code_of(fields, secret)
    except MalformedPayload:
        return RawRequest("POST", {"content-type": "application/x-www-form-urlencoded"}, body)
    return RawRequest("POST", {"content-type": "application/x-www-form-urlencoded"}, urlencode(fields).encode())


def unsigned(body: bytes) -> bytes:
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    return urlencode({name: value for name, value in fields.items() if name != "mac"}).encode()
