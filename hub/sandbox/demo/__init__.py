"""`hub demo`: a sample organisation whose customers live in the Telegram simulator. `../stories.py` says what happened there.

    seed      once, before any other process of the hub runs: the stories are played over the real road, at their own times
    prepare   at each start: wait for hub and simulator, give the simulator its memory back, open the channel, say how to begin
    keep      for as long as the demo runs: a simulator that had to be started again gets its memory back too

The simulator forgets everything when its process ends; the hub's own records say what it knew. Where to read on:

    seeding.py      `seed`: the sample organisation is made and its stories are played
    playing.py      one story after the other, step by step
    starting.py     `prepare` and `keep`, and what the terminal shows
    company.py      the sample organisation, its people and its channel
    memory.py       what the simulator gets back
    client.py       the simulator as its phone page sees it
    basics.py       what all of these share
"""

from hub.sandbox.demo.basics import BOT_ID, DemoFailed, Say
from hub.sandbox.demo.seeding import seed
from hub.sandbox.demo.starting import keep, prepare

__all__ = ["BOT_ID", "DemoFailed", "Say", "keep", "prepare", "seed"]
