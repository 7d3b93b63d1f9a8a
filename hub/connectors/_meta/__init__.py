"""What Facebook Messenger and Instagram share: no connector, a helper of theirs (its name begins with `_`).

    signature.py      the signature over the raw bytes, the handshake of the address
    reading.py        JSON of which nothing is certain
    envelope.py       a delivery for many accounts: `entry`, `messaging`, `standby`, `changes`
    payloads.py       one element of it to events
    contents.py       what a message says
    graph.py          one call of the Graph API
    codes.py          its refusals as a table
    tokens.py         whose token it is
    subscriptions.py  what of a page or account comes to the hub, and whether it still does
    split.py, send.py an action to a request
    media.py          files: what is taken, and how they are fetched
    settings.py       types of the set-up form

`messenger.md` and `instagram.md` in comments are our notes on Meta's documents; the documents stand in each connector's README.
"""
