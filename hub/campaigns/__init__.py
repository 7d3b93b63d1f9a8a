"""Newsletters: one message for many who agreed to its purpose. Only the gate decides who gets it.

audience.py    who is chosen: a filter, read in batches
writing.py     what each of them gets: words or a template, filled for each
simulation.py  what the gate would say to all of them now
service.py     what people do with a newsletter: write, plan, start, pause, resume, stop
running.py     what the worker does: fan out in batches, notice the end, clear up after a stop
reading.py     what the pages read: progress, results, every recipient's decision
"""
