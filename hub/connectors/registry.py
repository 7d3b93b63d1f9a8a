"""Finds the connectors: every sub-package of `hub.connectors` whose name does not begin with `_` is one.

`hub/connectors/<name>/connector.py` holds `connector`, the one instance. Nothing is registered by hand and nothing by the
order of imports; a connector that cannot be loaded stops the start of the hub.
"""

import importlib
import pkgutil
from collections.abc import ItemsView, Iterable, Iterator, ValuesView

import hub.connectors
from hub.connectors.contract import AnyConnector, Connector
from hub.core.errors import NotFound


class Registry:
    """Connectors by name, in alphabetical order. Tests build one from the connectors they want."""

    def __init__(self, connectors: Iterable[AnyConnector]) -> None:
        """Raises ValueError when two connectors have one name."""
        self._by_name: dict[str, AnyConnector] = {}
        for connector in sorted(connectors, key=lambda one: one.connector):
            if connector.connector in self._by_name:
                raise ValueError(f"two connectors are named {connector.connector!r}")
            self._by_name[connector.connector] = connector

    def get(self, name: str) -> AnyConnector:
        """The connector of this name; NotFound."""
        connector = self._by_name.get(name)
        if connector is None:
            raise NotFound(f"no connector {name!r}")
        return connector

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def values(self) -> ValuesView[AnyConnector]:
        return self._by_name.values()

    def items(self) -> ItemsView[str, AnyConnector]:
        return self._by_name.items()


def discover() -> Registry:
    """All connectors of this installation.

    Whatever is wrong with one is raised here: what its import raises, AttributeError for one without `connector`, TypeError
    for one that is no Connector, ValueError for one whose name is not its folder's.
    """
    folders = [module.name for module in pkgutil.iter_modules(hub.connectors.__path__) if module.ispkg]
    return Registry(_load(folder) for folder in folders if not folder.startswith("_"))


def _load(folder: str) -> AnyConnector:
    connector = importlib.import_module(f"hub.connectors.{folder}.connector").connector
    if not isinstance(connector, Connector):
        raise TypeError(f"hub/connectors/{folder}/connector.py: `connector` lacks a part of the contract")
    if connector.connector != folder:
        raise ValueError(f"hub/connectors/{folder}/connector.py calls itself {connector.connector!r}")
    return connector
