"""Simulators of the providers, and a phone page to play the customer. For demos and tests, on loopback.

The real hub talks to them as to the real providers: same routes, same JSON, same delivery rules, plus faults on demand. They
live in one process of their own (`hub sandbox`) and keep everything in memory.
"""
