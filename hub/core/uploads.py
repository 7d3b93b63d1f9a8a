"""The file of a multipart form, handed on piece by piece while it arrives: nothing is spooled, nothing held.

    upload = FileUpload(request.headers["content-type"], request.stream(), field="file")
    name = await upload.name()
    async for piece in upload.pieces(): ...

Forms with files carry the session's CSRF token in a header: to find it in the body, the body would have to be read first.
"""

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hub.core.errors import InvalidInput

LONGEST_PREFACE: Final = 65_536
"""Bytes of other fields before the file."""


class FileUpload:
    """One field of a form that holds a file; other fields are passed over. What comes behind the file is not read."""

    def __init__(self, content_type: str, stream: AsyncIterator[bytes], *, field: str) -> None:
        """Raises InvalidInput when the body is no multipart form."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise InvalidInput("not a multipart form", field=field)
        self._field = field
        self._stream = stream
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._name: str | None = None
        self._is_ours = False
        self._is_over = False
        self._pieces: deque[bytes] = deque()
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_ends,
            },
        )

    async def name(self) -> str:
        """Read on until the file begins; the name that the browser gave it. InvalidInput when there is none."""
        read = 0
        while self._name is None and read < LONGEST_PREFACE:
            read += await self._feed()
        if self._name is None:
            raise InvalidInput("the form has no file", field=self._field)
        return self._name

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes of the file. InvalidInput when the form ends before the file does."""
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._is_over:
                return
            await self._feed()

    async def _feed(self) -> int:
        """Take in the next piece of the body; how many bytes it had."""
        chunk = await anext(self._stream, b"")
        if not chunk:  # what the server says at the end of a body
            raise InvalidInput("the form ends too early", field=self._field)
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise InvalidInput("malformed form", field=self._field) from None
        return len(chunk)

    def _part_begins(self) -> None:
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if self._name is None and options.get(b"name") == self._field.encode() and b"filename" in options:
            self._is_ours = True
            self._name = options[b"filename"].decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_ours:
            self._pieces.append(data[start:end])

    def _part_ends(self) -> None:
        self._is_over = self._is_over or self._is_ours
        self._is_ours = False
