"""Hub: one gateway between a business and its customers' messengers.

Start reading at `hub/app.py` (what is mounted), then `hub/inbox/arriving/door.py` (a webhook arrives) and
`hub/inbox/sending/outbound.py` (a message leaves). The rooms and their order are drawn in `docs/architecture.md`.
"""
