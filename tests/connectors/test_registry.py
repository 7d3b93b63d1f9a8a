"""Connectors are found by their folder; nothing is registered by hand and nothing fails in silence."""

import sys
from pathlib import Path

import pytest

import hub.connectors
from hub.connectors.registry import Registry, discover
from hub.connectors.telegram.connector import connector as telegram
from hub.core.errors import NotFound
from tests.probe import probe


def test_every_folder_is_found_under_its_name() -> None:
    found = discover()
    folders = {
        path.parent.name for path in Path(hub.connectors.__path__[0]).glob("*/__init__.py") if not path.parent.name.startswith("_")
    }
    assert set(found) == folders
    assert found.get("telegram") is telegram


def test_an_unknown_name_is_not_found() -> None:
    registry = Registry([])
    with pytest.raises(NotFound):
        registry.get("telegram")
    assert "telegram" not in registry


def test_a_registry_is_a_mapping_in_alphabetical_order() -> None:
    registry = Registry([telegram, probe])
    assert (list(registry), len(registry)) == (["probe", "telegram"], 2)
    assert list(registry.items()) == [("probe", probe), ("telegram", telegram)]
    assert list(registry.values()) == [probe, telegram]


def test_two_connectors_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="telegram"):
        Registry([telegram, telegram])


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import a_module_that_is_not_there", ModuleNotFoundError),
        ("raise RuntimeError('broken')", RuntimeError),
        ("", AttributeError),
        ("connector = object()", TypeError),
        ("from hub.connectors.telegram.connector import connector", ValueError),
    ],
)
def test_a_broken_connector_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: type[Exception]
) -> None:
    """A messenger that silently is not there would lose its customers' messages."""
    _put(tmp_path, monkeypatch, "broken", code)
    with pytest.raises(error):
        discover()


def test_a_name_with_an_underscore_is_a_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(tmp_path, monkeypatch, "_shared", "raise RuntimeError('never imported')")
    assert "_shared" not in discover()


def _put(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> None:
    """One more sub-package of hub.connectors, for this test only."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    (folder / name / "connector.py").write_text(code)
    monkeypatch.setattr(hub.connectors, "__path__", [*hub.connectors.__path__, str(folder)])
    for module in (f"hub.connectors.{name}", f"hub.connectors.{name}.connector"):
        monkeypatch.delitem(sys.modules, module, raising=False)
