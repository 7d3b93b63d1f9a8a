"""`docker-compose.yml` and `Dockerfile` against what the hub is: a name nothing reads or a command that does not exist fails."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer.main
import yaml

from hub import cli
from hub.core.settings import Settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("web", "worker", "migrate")
VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
GIVEN = {
    "HUB_POSTGRES_PASSWORD": "ab12",
    "HUB_LOGIN_PASSWORD": "cd34",
    "HUB_MASTER_KEY": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "HUB_PUBLIC_URL": "https://hub.example.org",
}
"""What an operator's .env holds, as docs/deploy.md says."""


def filled(value: str) -> str:
    """A value as compose hands it over."""
    return VARIABLE.sub(lambda found: GIVEN.get(found[1]) or (found[3] if found[2] == "-" else ""), value)


def environment(service: str) -> dict[str, str]:
    return {name: filled(value) for name, value in SERVICES[service]["environment"].items()}


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting_and_the_settings_hold(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = environment(service)
    fields = {f"HUB_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in variables if name.startswith("HUB_")} <= fields
    assert {"HUB_DATABASE_URL", "HUB_REDIS_URL", "HUB_MASTER_KEY", "HUB_PUBLIC_URL", "HUB_TRUSTED_PROXIES"} <= set(variables)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.data, settings.port, settings.public_url) == (Path("/data"), 8000, "https://hub.example.org")


@pytest.mark.parametrize("service", OURS)
def test_every_command_exists(service: str) -> None:
    program, command = SERVICES[service]["command"]
    assert program == "hub"
    assert command in typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def test_what_is_needed_and_not_given_stops_the_start() -> None:
    """No password and no key has a default, and none is written down."""
    text = (ROOT / "docker-compose.yml").read_text()
    variables = {found[1]: found[2] for found in VARIABLE.finditer(text)}
    assert {name for name, kind in variables.items() if kind == "?"} == set(GIVEN)
    assert {name for name, kind in variables.items() if kind != "?"} == {"HUB_TRUSTED_PROXIES"}
    assert set(GIVEN) == set(re.findall(r"^(HUB_\w+)=", (ROOT / "docs/deploy.md").read_text(), re.M)) & set(variables)
    assert not re.search(r"^\s+\w*(PASSWORD|KEY|TOKEN)\w*: (?!\$\{)", text, re.M)


def test_the_application_is_no_superuser() -> None:
    """The image's first user is one; web and worker use the log-in that deploy/create-login.sh makes, only migrate the other."""
    superuser = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    for service in OURS:
        login = urlsplit(environment(service)["HUB_DATABASE_URL"]).username
        assert login != superuser
        assert f"CREATE ROLE {login} LOGIN" in (ROOT / "deploy/create-login.sh").read_text()
    assert urlsplit(environment("migrate")["HUB_DATABASE_ADMIN_URL"]).username == superuser
    assert "HUB_DATABASE_ADMIN_URL" not in environment("web") | environment("worker")
    mounts = [volume.split(":") for volume in SERVICES["postgres"]["volumes"]]
    assert ["./deploy/create-login.sh", "/docker-entrypoint-initdb.d/create-login.sh", "ro"] in mounts


def test_web_and_worker_share_the_files() -> None:
    """What the worker fetches the page shows: one volume, at HUB_DATA."""
    for service in ("web", "worker"):
        (volume,) = SERVICES[service]["volumes"]
        name, path = volume.split(":")
        assert (path, name in COMPOSE["volumes"]) == (environment(service)["HUB_DATA"], True)
    assert SERVICES["web"]["volumes"] == SERVICES["worker"]["volumes"]


def test_everything_comes_back_and_says_whether_it_is_well() -> None:
    for name, service in SERVICES.items():
        if name == "migrate":
            assert service["restart"] == "no"
        else:
            assert service["restart"] == "unless-stopped" and service["healthcheck"]["test"][0] == "CMD", name
    for name in ("web", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    port = environment("worker")["HUB_WORKER_METRICS_PORT"]
    assert f"127.0.0.1:{port}/metrics" in SERVICES["worker"]["healthcheck"]["test"][-1]
    assert "127.0.0.1:8000/healthz" in SERVICES["web"]["healthcheck"]["test"][-1]
    for name in ("web", "worker"):
        compile(SERVICES[name]["healthcheck"]["test"][-1], name, "exec")
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8000:8000"], "TLS is the reverse proxy's"


def dockerfile() -> list[tuple[str, str]]:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if line and not line.startswith("#")]


def test_the_image_runs_as_nobody_special_and_holds_no_secret() -> None:
    steps = dockerfile()
    users = [value for step, value in steps if step == "USER"]
    assert users == ["hub"]
    assert steps[-1] == ("CMD", '["hub", "web"]')
    assert ("VOLUME", "/data") in steps
    assert any("-o hub -g hub -m 700 /data" in value for step, value in steps if step == "RUN")
    for step, value in steps:
        assert not (step in ("ENV", "ARG") and re.search(r"PASSWORD|KEY|TOKEN|_URL", value)), value
        if step == "COPY":
            assert all((ROOT / source).exists() for source in shlex.split(value)[:-1]), value
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", ".hub", ".env"} <= set(ignored)
    assert not {"hub", "frontend", "README.md", "pyproject.toml", "requirements"} & set(ignored)


def test_the_script_is_a_script() -> None:
    subprocess.run(["/bin/sh", "-n", ROOT / "deploy/create-login.sh"], check=True)
    assert (ROOT / "deploy/create-login.sh").stat().st_mode & 0o111
