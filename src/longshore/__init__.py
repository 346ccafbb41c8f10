"""Longshore: an AWS container cloud on one's own Linux machines.

Start at docs/architecture.md; each folder's docstring says what the room is for.
"""

__version__ = "0.1.0"
