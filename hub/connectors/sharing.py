"""The contract's optional part about what several accounts have in common: an address, a subscription, a send limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from httpx import AsyncClient

from hub.connectors.contract import Account, RawRequest, S_contra


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of a shared delivery that speaks of one account: its `own_id`, and a body with only its elements.

    No `own_id`: it speaks of what accounts have in common (templates, the business itself). Every account behind the endpoint gets
    it, and `parse` reads of it what is its own.
    """

    own_id: str
    body: bytes


@runtime_checkable
class SharesEndpoint(Protocol[S_contra]):
    """A connector whose provider delivers for many accounts at one address (all pages of one app)."""

    def endpoint(self, account: Account[S_contra]) -> str:
        """The name of the address that the accounts behind one app share (the app's id), `[a-z0-9-]{1,64}`: they are reached as
        `/hooks/{connector}/{endpoint}`. Empty: this account has an address of its own."""

    def shares(self, request: RawRequest) -> Sequence[Share]:
        """A verified delivery by account, each element once. Pure. Raises MalformedPayload for bytes that cannot be read at all.
        The door gives a share only to accounts for which `verify` passes as well."""


@runtime_checkable
class SharesSubscription(Protocol[S_contra]):
    """A connector whose `teardown` may end what another account still needs: a page's Messenger and its Instagram have one
    subscription."""

    async def needed_by(self, account: Account[S_contra], http: AsyncClient) -> Sequence[tuple[str, str]]:
        """The accounts (connector, own id) that would hear nothing any more after a teardown of this one. Raises a ConnectorError;
        then nobody knows, and the subscription stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A send limit that several accounts share: those with the same `name`. At most `most` messages in `seconds`."""

    name: str
    most: int
    seconds: float


@runtime_checkable
class SharesBudget(Protocol[S_contra]):
    """A connector where all accounts of one app share a limit."""

    def budget(self, account: Account[S_contra]) -> Budget:
        """The limit that a message of this account also counts for. Pure. Its name holds no secret."""
