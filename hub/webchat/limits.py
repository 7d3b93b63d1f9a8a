"""How much a visitor may do, and one address (R-232): far above what a person does and far below what a script wants."""

from typing import Final

from hub.core.limits import Limit

STARTS: Final = Limit("start", 30, 3600)
"""New visitors of one address: a whole office shares one."""
MESSAGES: Final = Limit("message", 20, 60)
MESSAGES_OF_ADDRESS: Final = Limit("messages", 120, 60)
FILES: Final = Limit("file", 10, 600)
MARKS: Final = Limit("marks", 60, 60)
TYPING: Final = Limit("typing", 20, 60)
LISTENS: Final = Limit("listen", 60, 60)
"""Streams and boxes that are opened."""
