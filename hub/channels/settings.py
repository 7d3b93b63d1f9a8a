"""A connector's settings between the set-up form and the vault: read what was typed, keep the secrets left empty, seal."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from hub.connectors.contract import Settings
from hub.core.errors import InvalidInput
from hub.core.vault import Vault


def is_secret(info: FieldInfo) -> bool:
    """Whether a field of a connector's settings holds a secret: never shown again, and kept when it is left empty."""
    return info.annotation in (SecretStr, SecretStr | None)


def read_settings(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """What was typed, as settings of this kind. InvalidInput names the field that is wrong or missing."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise InvalidInput(f"{field}: {error.errors()[0]['msg']}", field=field) from None


def merge_settings(stored: Settings, values: Mapping[str, Any]) -> Settings:
    """The new settings of an account: as typed, while a secret left empty keeps the stored one.

    It is kept only if everything that is no secret stays as it is. Otherwise somebody who was never told the secret could
    have it sent to a server of their choice. InvalidInput names the field that is wrong, missing, or has to be typed again. What
    the provider gave us for the old settings (`Settings.given`) goes with them: set-up gets it anew.
    """
    fields, given = type(stored).model_fields, type(stored).given
    secrets = [name for name, info in fields.items() if is_secret(info)]
    kept = {name: getattr(stored, name) for name in secrets if name not in given and not str(values.get(name, "")).strip()}
    settings = read_settings(type(stored), {**values, **kept})
    again = [name for name, secret in kept.items() if secret is not None]
    if again and any(getattr(settings, name) != getattr(stored, name) for name in fields if name not in (*secrets, *given)):
        raise InvalidInput(f"{again[0]}: to be typed again, since other settings change", field=again[0])
    return settings


def seal_settings(vault: Vault, settings: Settings, organisation_id: UUID, channel_id: UUID) -> bytes:
    """What `accounts.open_channel` opens again."""
    opened = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in settings}
    return vault.seal(
        json.dumps(opened), organisation_id=organisation_id, table="channel", column="settings_sealed", row_id=channel_id
    )
