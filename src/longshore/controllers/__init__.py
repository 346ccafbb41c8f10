"""The loops that act: each compares what is wanted with what is, and does the next thing.

Enters: changes of the store. Leaves: status in the store, words to agents.
One folder a resource and concern; `registry.py` lists them all; `interface.py` defines the terms.
"""
