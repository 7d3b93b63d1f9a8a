"""The guided form of the channels page, made from a connector's settings: its fields, what was typed, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args, get_origin

from fastapi import Request
from pydantic.fields import FieldInfo

from hub.channels.catalogue import Messenger
from hub.channels.conditions import ConditionNotMet
from hub.channels.settings import is_secret
from hub.connectors.contract import AnswersInline, AnyConnector
from hub.connectors.errors import CredentialsRejected
from hub.core.errors import HubError, InvalidInput


class Purpose(StrEnum):
    """What the form is for."""

    CONNECT = "connect"
    SETTINGS = "settings"
    """Other credentials for the account that is connected."""
    ACCOUNT = "account"
    """Another account in its place: a number or bot moves."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a connector's settings. `label` and `hint` are catalogue keys; an optional field has its `usual` value filled
    in; what was typed into a secret one is never shown again. One with `choices` takes one of them, whose words are
    `<label>.<choice>`; one that `has_lines` takes several lines."""

    name: str
    label: str
    hint: str
    is_secret: bool
    is_optional: bool
    usual: str
    value: str
    choices: tuple[str, ...] = ()
    has_lines: bool = False

    @property
    def is_changed(self) -> bool:
        return self.value != self.usual


@dataclass(frozen=True, slots=True)
class SetUp:
    """The form of one messenger, with what was typed and is no secret. `channel` is the shown id of the connected account that it
    changes; empty where it connects a new one."""

    purpose: Purpose
    messenger: Messenger
    fields: list[FormField]
    title: str
    is_accepted: bool
    channel: str = ""
    welcome: str = ""

    @property
    def greets(self) -> bool:
        """Whether somebody who opens the chat can be told something first."""
        return isinstance(self.messenger.connector, AnswersInline)

    @property
    def keeps_secrets(self) -> bool:
        """A secret left empty stays what it is."""
        return self.purpose is Purpose.SETTINGS


@dataclass(frozen=True, slots=True)
class Problem:
    """What kept an act from being done: `about` names the channel or the messenger, `field` what to mend, `missing` that nothing
    stands there."""

    error: HubError
    about: str
    field: str = ""
    missing: bool = False

    @property
    def provider_text(self) -> str:
        """The provider's own words, free of secrets."""
        return str(getattr(self.error, "provider_text", ""))

    @property
    def reason(self) -> str:
        """Why we refused the credentials by ourselves: the end of a key of the connector's catalogue."""
        return self.error.reason if isinstance(self.error, CredentialsRejected) else ""

    @property
    def condition(self) -> str:
        """Which condition of the contract is not met."""
        return self.error.reason if isinstance(self.error, ConditionNotMet) else ""


def fields_of(kind: AnyConnector, typed: Mapping[str, str]) -> list[FormField]:
    """The fields of a connector's settings, filled with what was typed."""
    fields = kind.settings.model_fields.items()
    return [_field(name, info, typed) for name, info in fields if name not in kind.settings.given]


def _field(name: str, info: FieldInfo, typed: Mapping[str, str]) -> FormField:
    usual = "" if info.is_required() or info.default is None else str(info.default)
    value = "" if is_secret(info) else typed.get(f"set_{name}", usual)
    choices = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return FormField(
        name,
        info.title or name,
        info.description or "",
        is_secret(info),
        not info.is_required(),
        usual,
        value,
        choices,
        has_lines="lines" in extra,
    )


async def read_form(request: Request) -> tuple[dict[str, str], dict[str, str]]:
    """What a form says, and of it the settings that are not left empty, by their own names."""
    typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    values = {name.removeprefix("set_"): value for name, value in typed.items() if name.startswith("set_") and value.strip()}
    return typed, values


def problem_of(error: HubError, about: str, values: Mapping[str, str]) -> Problem:
    """The field that an error names is missing unless something was typed there."""
    if isinstance(error, InvalidInput):
        field = str(error.values["field"])
        return Problem(error, about, field, field not in values)
    if isinstance(error, ConditionNotMet):
        return Problem(error, about, error.field)
    return Problem(error, about, error.field if isinstance(error, CredentialsRejected) else "")
