"""The media store: files under (organisation, id), beside the database. Never a path from anybody's input."""

from pathlib import Path
from typing import BinaryIO
from uuid import UUID


class Storage:
    """`root` is the folder of all organisations' files."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, organisation_id: UUID, object_id: UUID) -> BinaryIO:
        """A stored object from its start; FileNotFoundError."""
        return self._path(organisation_id, object_id).open("rb")

    def _path(self, organisation_id: UUID, object_id: UUID) -> Path:
        return self._root / organisation_id.hex / object_id.hex[-2:] / object_id.hex
