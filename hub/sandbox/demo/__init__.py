"""`hub demo`: a sample organisation whose customers live in the sandbox. `../stories.py` says what happened there.

    seed      once, before any other process of the hub runs: the stories are played over the real road, at their own times
    prepare   at each start: wait for the hub, connect each messenger, give the simulators their memory back, and say how
              to begin
    keep      for as long as the demo runs: a sandbox that had to be started again gets its memory back too

The sandbox forgets everything when its process ends; the hub's own records say what it knew. Where to read on:

    seeding.py      `seed`: the sample organisation is made and its stories are played
    playing.py      one story after the other, step by step
    starting.py     `prepare` and `keep`, and what the terminal shows
    company.py      the sample organisation, its people and its channels
    connecting.py   each messenger of the sandbox gets its channel, and the website chat its shop
    memory.py       what the simulators get back
    phones.py       the phones of the sandbox
    newsletters.py  a newsletter that was sent and one that waits
    website.py      the visitors of the sample shop
    basics.py       what all of these share
"""

from hub.sandbox.demo.basics import DemoFailed, Say
from hub.sandbox.demo.seeding import seed
from hub.sandbox.demo.starting import keep, prepare, wait_for_sandbox

__all__ = ["DemoFailed", "Say", "keep", "prepare", "seed", "wait_for_sandbox"]
