"""State changes on their way to the control plane: on disk until it has acknowledged them.

They go out in the order in which they came. One that is refused holds up the later ones of its own
task only, and those for an hour at most: then it lies in `refused`, for people to look at.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from longshore.agent.records import is_full
from longshore.base.clock import Clock
from longshore.base.files import replace_file
from longshore.base.logs import logger
from longshore.base.waiting import first_of
from longshore.model.errors import AwsError

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
REFUSED_RETRY_SECONDS = (0.2, 1.0, 5.0, 15.0, 30.0)
"""While the control plane answers, and says no."""
GIVE_UP_SECONDS = 3600.0
"""How long a change may be refused before it is set aside."""
REFUSED_KEPT = 1000
"""Files in `refused`; the oldest go."""
UNAVAILABLE, NOT_BUILT = 500, 501
REFUSALS = frozenset(
    {
        "ClientException",
        "ClusterNotFoundException",
        "InvalidParameterException",
        "SerializationException",
        "ValidationException",
    }
)
"""What is wrong is the change itself: sending the same again is of no use."""
PASSING = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "LimitExceededException",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "ServiceUnavailableException",
        "ThrottlingException",
        "UnrecognizedClientException",
    }
)
"""What is wrong is the moment (too many calls, a clock, a key that is about to change), and every
other change would meet the same."""
PASSING_STATUSES = frozenset({408, 429})

Send = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""(operation, request) to its response."""

log = logger(__name__)


class Outlook(Enum):
    """What sending the same again promises."""

    TEMPORARY = "again, for as long as it takes"
    UNCERTAIN = "again for an hour: somebody may mend a policy, say"
    FINAL = "not again"


def outlook(error: AwsError) -> Outlook:
    """What to expect after this answer."""
    if error.code in REFUSALS:
        return Outlook.FINAL
    unavailable = error.status >= UNAVAILABLE and error.status != NOT_BUILT
    if unavailable or error.status in PASSING_STATUSES or error.code in PASSING:
        return Outlook.TEMPORARY
    return Outlook.UNCERTAIN


def is_set_aside(expected: Outlook, refused_seconds: float) -> bool:
    """Whether a change that has been refused for so long is not sent any more."""
    if expected is Outlook.UNCERTAIN:
        return refused_seconds >= GIVE_UP_SECONDS
    return expected is Outlook.FINAL


@dataclass
class Change:
    """One call; `unwritten` is what its file is to hold, where the disk was full."""

    path: Path
    unwritten: bytes = b""

    def write(self) -> None:
        """Have it on disk, if there is room."""
        try:
            replace_file(self.path, self.unwritten)
        except OSError as error:
            if not is_full(error):
                raise
        else:
            self.unwritten = b""

    def read(self) -> dict[str, Any] | None:
        """The call; None where a crash cut it short, or took it."""
        try:
            content = self.unwritten or self.path.read_bytes()
            found: dict[str, Any] = msgspec.json.decode(content)
        except (msgspec.DecodeError, FileNotFoundError):
            return None
        return found


@dataclass
class Lane:
    """The changes of one task, in order, and how its first one fares; times are monotonic."""

    waiting: deque[Change] = field(default_factory=deque)
    due: float = 0.0
    attempts: int = 0
    refused_since: float | None = None

    def settled(self) -> None:
        """The first change is no longer waiting."""
        self.waiting.popleft()
        self.due, self.attempts, self.refused_since = 0.0, 0, None

    def again(self, now: float, seconds: tuple[float, ...]) -> None:
        """Try the first change again later."""
        self.due = now + seconds[min(self.attempts, len(seconds) - 1)]
        self.attempts += 1


class Outbox:
    """A queue of API calls that outlives the agent."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._refused = directory / "refused"
        self._lanes: dict[str, Lane] = {}
        self._unwritten: dict[str, Change] = {}
        self._added = asyncio.Event()
        kept = sorted(path.stem for path in directory.rglob("*.json"))
        self._next = int(kept[-1]) + 1 if kept else 0
        for path in sorted(directory.glob("*.json")):
            self._take_up(path)

    def _take_up(self, path: Path) -> None:
        """Queue what an earlier agent left; a file that a crash cut short is none."""
        change = Change(path)
        entry = change.read()
        if entry is None:
            path.unlink()
        else:
            self._queue(change, entry["request"])

    def _queue(self, change: Change, request: Mapping[str, Any]) -> None:
        lane = self._lanes.setdefault(str(request.get("task", "")), Lane())
        lane.waiting.append(change)

    def add(self, operation: str, request: Mapping[str, Any]) -> None:
        """Keep the call; it is on disk when this returns, unless that is full: then it is once
        there is room."""
        entry = msgspec.json.encode({"operation": operation, "request": request})
        change = Change(self._directory / f"{self._next:012d}.json", entry)
        change.write()
        if change.unwritten:
            log.error("the disk is full, a state change waits in memory", file=change.path.name)
            self._unwritten[change.path.name] = change
        self._next += 1
        self._queue(change, request)
        self._added.set()

    async def send_all(self, send: Send, clock: Clock) -> None:
        """Send what is there and what comes until cancelled: in order, but past those that wait."""
        silences = 0
        while True:
            self._added.clear()
            self._write_late()
            now = clock.monotonic()
            lane = self._first_due(now)
            if lane is None:
                await self._pause(clock, now)
            elif await self._deliver(lane, send, clock):
                silences = 0
            else:
                await clock.sleep(RETRY_SECONDS[min(silences, len(RETRY_SECONDS) - 1)])
                silences += 1

    def _write_late(self) -> None:
        """Have on disk what there was no room for, as far as there is some now."""
        for name, change in list(self._unwritten.items()):
            change.write()
            if change.unwritten:
                return
            del self._unwritten[name]

    def _first_due(self, now: float) -> Lane | None:
        """Of the lanes that need not wait, that with the oldest change."""
        due = [lane for lane in self._lanes.values() if lane.due <= now]
        return min(due, key=lambda lane: lane.waiting[0].path.name, default=None)

    async def _pause(self, clock: Clock, now: float) -> None:
        """Until something is added, or a lane need not wait any longer."""
        dues = [lane.due for lane in self._lanes.values()]
        sleeps = [clock.sleep(min(dues) - now)] if dues else []
        await first_of(self._added.wait(), *sleeps)

    async def _deliver(self, lane: Lane, send: Send, clock: Clock) -> bool:
        """Try the lane's first change; False where nobody answered."""
        change = lane.waiting[0]
        entry = change.read()
        if entry is not None:
            try:
                await send(entry["operation"], entry["request"])
            except OSError:
                return False
            except AwsError as error:
                if not self._refuse(lane, error, clock.monotonic()):
                    return True
        change.path.unlink(missing_ok=True)
        self._unwritten.pop(change.path.name, None)
        self._settle(lane)
        return True

    def _refuse(self, lane: Lane, error: AwsError, now: float) -> bool:
        """Decide what becomes of a change that was answered with an error; whether it is done."""
        expected = outlook(error)
        if expected is Outlook.TEMPORARY:
            log.info("a state change will be sent again", error=str(error))
            lane.again(now, RETRY_SECONDS)
            return False
        if lane.refused_since is None:
            lane.refused_since = now
        if is_set_aside(expected, now - lane.refused_since):
            self._set_aside(lane.waiting[0], error)
            return True
        if not lane.attempts:
            log.warning("a state change is refused for now", error=str(error))
        lane.again(now, REFUSED_RETRY_SECONDS)
        return False

    def _set_aside(self, change: Change, error: AwsError) -> None:
        log.error("a state change was refused", file=change.path.name, error=str(error))
        if change.unwritten:
            return
        self._refused.mkdir(exist_ok=True, mode=0o700)
        change.path.replace(self._refused / change.path.name)
        for old in sorted(self._refused.glob("*.json"))[:-REFUSED_KEPT]:
            old.unlink()

    def _settle(self, lane: Lane) -> None:
        lane.settled()
        self._lanes = {task: each for task, each in self._lanes.items() if each.waiting}
