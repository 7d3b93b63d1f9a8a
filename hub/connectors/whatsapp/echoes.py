"""What another program of ours sent, as its send request says it (provider file, 5.16 and 8)."""

from hub.connectors.events import Content, Text, Unsupported
from hub.connectors.whatsapp.content import read_cards, read_content
from hub.connectors.whatsapp.reading import Json, a_text, an_object


def read_sent(request: Json) -> Content:
    """The words of an answer or a question; a file by its id. One that was sent by a link has none: it stays an honest card."""
    kind = a_text(request, "type")
    said = an_object(request, kind)
    if kind == "interactive" and (words := a_text(an_object(said, "body"), "text")):
        return Text(text=words)
    if kind == "template":
        return Unsupported(kind="template", summary=a_text(said, "name"))
    if kind == "contacts" and (cards := read_cards(request)):
        return cards[0]
    return read_content(request)
