"""Settings of one installation, from the environment (`HUB_…`). The page of each organisation holds everything else."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """What the operator decides. A wrong value stops the start with a message that names the variable."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="ignore", frozen=True, hide_input_in_errors=True)

    data: Path = Path(".hub")
    """Folder of the embedded servers and the master key; not used when both outside URLs are set and HUB_MASTER_KEY too."""
    database_url: SecretStr | None = None
    """PostgreSQL 15 or newer, `postgresql://user:password@host/name`. Unset: the hub runs its own."""
    database_admin_url: SecretStr | None = None
    """Used for migrations only; default: `database_url`. Its user needs CREATEROLE once."""
    redis_url: SecretStr | None = None
    """Valkey or Redis, `redis://…`, `rediss://…` or `unix://…`. Unset: the hub runs its own."""
    master_key: SecretStr | None = None
    """Key for sealed secrets, `id:base64[,id:base64…]`, the first one seals. Unset: a 0600 file in `data`."""
    smtp_url: SecretStr | None = None
    """Server for the hub's own mail, `smtp://user:password@host:587` or `smtps://…`. Unset: no mail is sent and pages say so."""
    mail_from: str = "hub@localhost"
    """Sender of the hub's own mail."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str | None = None
    """The address under which providers and browsers reach the hub, without a trailing slash."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses whose X-Forwarded-For and X-Forwarded-Proto are believed, comma separated."""
    trusted_hosts: Annotated[frozenset[str], NoDecode] = frozenset()
    """`host:port` pairs, comma separated, that outgoing requests may reach although they are not public (simulators)."""
    pool_web: int = Field(default=10, ge=1)
    pool_worker: int = Field(default=10, ge=2)
    pool_door: int = Field(default=2, ge=1)
    session_days: int = Field(default=30, ge=1)
    body_limit: int = Field(default=5_000_000, ge=1024)
    """Largest webhook body in bytes; a larger one is answered 413."""
    requests_address: int = Field(default=60_000, ge=1)
    """Requests a minute from one address to the pages and the API; more are answered 429 (`core/request_limits.py`)."""
    requests_token: int = Field(default=12_000, ge=1)
    """Requests a minute with one session."""
    requests_organisation: int = Field(default=120_000, ge=1)
    """Requests a minute to one organisation."""
    keep_raw_days: int = Field(default=14, ge=1)
    """How long raw deliveries are kept; their hash, state and result stay."""
    keep_feed_days: int = Field(default=7, ge=1)
    minimum_free_disk_mb: int = Field(default=512, ge=0)
    """Below this the webhook door answers 503 instead of taking on what it could not keep (embedded PostgreSQL only)."""
    media: Path | None = None
    """Folder of the files of messages, shared by all processes of the hub. Unset: `media` in `data`."""
    media_limit: int = Field(default=100_000_000, ge=1_000_000)
    """Largest file in bytes, in and out; messengers set lower limits of their own."""
    clamd: str | None = None
    """ClamAV's daemon, `host:port` or the path of its socket. Unset: files are marked as not scanned, and only the test signature
    is found."""
    log_level: str = "INFO"
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    """Who sends it as `Authorization: Bearer …` may read `/metrics`. Unset: only programs on this machine may."""
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Port on 127.0.0.1 where a worker process serves its own metrics; another one for each. Unset: it serves none."""

    @field_validator("trusted_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return frozenset(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url", "database_admin_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"postgres(ql)?://[^\s/@]+@", value.get_secret_value()):
            raise ValueError("an address like postgresql://user:password@db.example.org/hub")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_smtp(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"smtps?://[^\s/]+/?", value.get_secret_value()):
            raise ValueError("an address like smtp://user:password@mail.example.org:587")
        return value

    @field_validator("clamd")
    @classmethod
    def _is_clamd(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"/.+|(?:[^\s\[\]:/@]+|\[[0-9a-f:.]+\]):[0-9]{1,5}", value):
            raise ValueError("host:port of clamd, or the whole path of its socket")
        return value

    @property
    def media_folder(self) -> Path:
        return self.media or self.data / "media"

    @property
    def base_url(self) -> str:
        """Where the hub is reached: `public_url`, or the address it listens on."""
        return self.public_url or f"http://{self.host}:{self.port}"
