"""Finds the simulators: every folder of `hub/sandbox` with a `simulator.py` is one, unless its name begins with `_`. Nothing is
registered by hand."""

import importlib
from pathlib import Path
from typing import Final

import httpx

from hub.core.errors import NotFound
from hub.sandbox.messengers import Simulator

FOLDER: Final = Path(__file__).parent


class Simulators:
    """Simulators by the name of their connector, in the order of their labels."""

    def __init__(self, simulators: list[Simulator]) -> None:
        """Raises ValueError when two have one name."""
        self._by_name = {one.connector: one for one in sorted(simulators, key=lambda one: one.label.lower())}
        if len(self._by_name) != len(simulators):
            raise ValueError("two simulators have one name")

    def get(self, connector: str) -> Simulator:
        """The simulator of this connector; NotFound."""
        if connector not in self._by_name:
            raise NotFound(f"no simulator of {connector!r}")
        return self._by_name[connector]

    def __contains__(self, connector: object) -> bool:
        return connector in self._by_name

    def all(self) -> list[Simulator]:
        return list(self._by_name.values())


def find_simulators(http: httpx.AsyncClient) -> list[Simulator]:
    """One of each; `http` carries their webhooks. Raises what a broken one raises, and ValueError for one whose name is not its
    folder's."""
    return [_create(path.parent.name, http) for path in sorted(FOLDER.glob("[!_]*/simulator.py"))]


def _create(folder: str, http: httpx.AsyncClient) -> Simulator:
    simulator: Simulator = importlib.import_module(f"hub.sandbox.{folder}.simulator").create(http)
    if simulator.connector != folder:
        raise ValueError(f"hub/sandbox/{folder}/simulator.py calls itself {simulator.connector!r}")
    return simulator
