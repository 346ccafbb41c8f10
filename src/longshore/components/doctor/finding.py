"""What an examination says."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Level(StrEnum):
    """`info` needs no action; with `warn` Longshore runs, but not all of it; `fail` ends it."""

    OK = "ok"
    INFO = "info"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: what was found and what it means, and how to mend it.

    `mend` is a command for a shell, or empty where there is none.
    """

    name: str
    level: Level
    meaning: str
    mend: str = ""


def render(findings: Iterable[Finding]) -> str:
    """Lines for people, each ended: one for each finding, and one for each command that mends."""
    findings = list(findings)
    width = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:<5} {finding.name:<{width}}  {finding.meaning}")
        if finding.mend:
            lines.append(f"{'':<5} {'':<{width}}  → {finding.mend}")
    count = {level: sum(f.level is level for f in findings) for level in Level}
    lines.append(f"{count[Level.FAIL]} to mend, {count[Level.WARN]} to look at")
    return "".join(f"{line}\n" for line in lines)
