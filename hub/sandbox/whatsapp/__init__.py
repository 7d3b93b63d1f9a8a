"""A simulated WhatsApp that speaks as 360dialog and as Meta's Cloud API: `simulator.py`. What it checks stands in `checks.py` and
`templates.py`; the customer's side is `phone.py`."""
