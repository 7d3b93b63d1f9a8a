"""What every command of `hub …` needs: settings with their servers, words for the person at the terminal, and plain errors."""

import contextlib
from collections.abc import Iterator

import typer
from pydantic import ValidationError

from hub.core.errors import HubError
from hub.core.services import ServicesError, running_urls
from hub.core.settings import Settings


def say(text: str) -> None:
    """Progress for the person at the terminal."""
    print(text, flush=True)


def read_settings() -> Settings:
    """The settings, or a message that names the wrong variable and an exit."""
    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors():
            say(f"HUB_{str(problem['loc'][0]).upper()}: {problem['msg']}")
        raise typer.Exit(2) from None


def with_servers(settings: Settings) -> Settings:
    """Settings whose URLs are set: from the environment, or from the servers that `hub serve` runs on this data folder."""
    try:
        return with_running(settings)
    except ServicesError as error:
        say(str(error))
        raise typer.Exit(1) from None


def with_running(settings: Settings) -> Settings:
    """The same; raises ServicesError when no such server runs."""
    if settings.database_url and settings.redis_url:
        return settings
    urls = running_urls(settings.data)
    return Settings(
        database_url=settings.database_url or urls.database_url,
        database_admin_url=settings.database_admin_url or urls.admin_url,
        redis_url=settings.redis_url or urls.redis_url,
    )


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """An expected error is a line and an exit code."""
    try:
        yield
    except HubError as error:
        say(str(error))
        raise typer.Exit(1) from None
