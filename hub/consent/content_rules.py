"""What a text may look like that leaves over some messengers (R-199): found here, held by the gate, looked at by a second person.

A rival's name alone is no advertising for it ("I wrote to you on WhatsApp"); together with an invitation it is, and so is an
invitation by itself.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

_LINK: Final = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)+/\S*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ContentRules:
    """Words and addresses that a second person has to look at.

    rivals        names of other messengers
    invitations   addresses at which one joins them (`t.me`)
    sponsorship   words that look as if the messenger itself paid for or recommended the message
    """

    rivals: Collection[str]
    invitations: Collection[str]
    sponsorship: Collection[str]


def find_in_text(rules: ContentRules, text: str) -> tuple[str, ...]:
    """What was found, each as `<rule>:<word>`; empty where nothing is to be looked at."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    links = " ".join(_LINK.findall(plain))
    found = [f"invitation:{address}" for address in rules.invitations if _holds(links, address)]
    if links:
        found += [f"rival:{name}" for name in rules.rivals if _holds(plain, name)]
    return tuple(found + [f"sponsorship:{words}" for words in rules.sponsorship if _holds(plain, words)])


def _holds(text: str, words: str) -> bool:
    """Whether these words stand in the text, as words of their own."""
    return re.search(rf"(?<!\w){re.escape(words.casefold())}(?!\w)", text) is not None
