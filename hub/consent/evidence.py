"""Evidence in words for people."""

from hub.core.i18n import Translator, catalogue


def in_words(t: Translator, name: str, value: str) -> str:
    """A value of evidence as people read it: sources and methods that are the hub's own have words in the catalogue
    (`consent.source.…`, `consent.method.…`); the address of a web page, a text or a name stays as it is."""
    key = f"consent.{name}.{value}"
    return t(key) if name in ("source", "method") and key in catalogue(t.locale) else value
