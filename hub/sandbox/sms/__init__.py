"""An SMS gateway that exists only here, in the words of `hub/connectors/sms/README.md`, and the phones behind it."""
