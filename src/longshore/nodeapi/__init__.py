"""The words between control plane and agent: ACS and TCS as the Amazon ECS agent speaks them,
and a few messages of our own, which the real agent never sees.

Enters: structs. Leaves: JSON frames, and back. No I/O, no store.
"""
