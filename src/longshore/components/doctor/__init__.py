"""What is missing or wrong on this machine, and the command that mends it.

Enters: a data directory and a port. Leaves: findings. `facts.py` and `kernel.py` look at the
machine and leave nothing behind on it; `judgement.py` decides, and is pure.
"""

from longshore.components.doctor.check import check
from longshore.components.doctor.finding import Finding, Level, render

__all__ = ["Finding", "Level", "check", "render"]
