"""Meta's Graph API for messages, as far as Messenger and Instagram share it: no simulator, a helper of theirs.

flavour.py     how the two differ
world.py       the app, its accounts, their people and threads
wire.py        what a request says, and Meta's refusals
sending.py     what Meta checks of a message, and what becomes of it
delivering.py  signed webhooks
api.py         the API
phone.py       the customer's side
"""
