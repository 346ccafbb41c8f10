"""How the control plane tells the supervisor that it serves: it closes a file that it was given."""

import os

SERVING = "LONGSHORE_SERVING_FD"
"""In the control plane's environment: the number of the file."""


def tell_serving() -> None:
    """Whoever waits need not wait longer; nothing where nobody does."""
    told = os.environ.pop(SERVING, "")
    if told:
        os.close(int(told))
