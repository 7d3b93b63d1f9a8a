"""Who acts: a signed-in person, and what they are in one organisation. Made by `access.py` from a request; a plain value for
everybody else, the worker too."""

from dataclasses import dataclass
from uuid import UUID

from hub.organisations.rights import ROLE_RIGHTS, Right


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person with a living session."""

    session_id: UUID
    person_id: UUID
    person_name: str
    email: str
    locale: str
    csrf_token: str


@dataclass(frozen=True, slots=True)
class Access(SignedIn):
    """A person acting as an active member of one organisation: the one in the path."""

    organisation_id: UUID
    slug: str
    organisation_name: str
    zone: str
    member_id: UUID
    role: str

    def may(self, right: Right) -> bool:
        return right in ROLE_RIGHTS[self.role]
