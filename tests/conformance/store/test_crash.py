"""A process killed in the middle of a commit: what it acknowledged is there, and nothing half."""

import os
import random
import subprocess
import sys
from pathlib import Path

from conformance.store.conftest import Place
from conformance.store.kinds import OTHER, THING

import longshore

KILLS = 6


def written_until_killed(url: str, start: int, lines: int) -> set[int]:
    """The numbers that a writer acknowledged before it was killed, after so many lines."""
    paths = [str(Path(__file__).parents[2]), str(Path(longshore.__file__).parents[1])]
    writer = subprocess.Popen(
        [sys.executable, "-m", "conformance.store.crashing_writer", url, str(start)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    with writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        acknowledged += writer.stdout.readlines()
    return {int(line) for line in acknowledged if line.endswith(b"\n")}


async def test_acknowledged_writes_survive_kill_9_and_no_transaction_is_half_there(lasting: Place):
    chance = random.Random(7)
    expected: set[int] = set()
    start = 0
    for _ in range(KILLS):
        expected |= written_until_killed(lasting.url, start, chance.randint(1, 400))
        store = await lasting.open()
        things = {record.value.number for record in store.reader.scan(THING)}
        others = {record.value.number for record in store.reader.scan(OTHER)}
        assert things == others
        assert expected <= things
        start = max(things) + 1
        await store.close()
