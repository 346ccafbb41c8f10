"""How far the host's clock may be off, as the kernel's clock discipline has it."""

import ctypes
from typing import Any

from longshore.agent.endpoints.documents import timestamp

UNSYNCHRONISED = 5
"""TIME_ERROR (adjtimex(2))."""
MILLISECONDS_A_MICROSECOND = 1e-3


class _Reading(ctypes.Structure):
    """`struct ntptimeval` (ntp_gettime(3)); the last words are the C library's own."""

    _fields_ = (
        ("seconds", ctypes.c_long),
        ("microseconds", ctypes.c_long),
        ("largest_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("rest", ctypes.c_long * 8),
    )


_libc = ctypes.CDLL(None)


def clock_drift() -> dict[str, Any]:
    """`ClockDrift` of version 4: the error bound in milliseconds."""
    reading = _Reading()
    state = _libc.ntp_gettime(ctypes.byref(reading))
    synchronised = state not in (UNSYNCHRONISED, -1)
    return {
        "ClockErrorBound": reading.largest_error * MILLISECONDS_A_MICROSECOND,
        "ReferenceTimestamp": timestamp(float(reading.seconds)),
        "ClockSynchronizationStatus": "SYNCHRONIZED" if synchronised else "NOT_SYNCHRONIZED",
    }
