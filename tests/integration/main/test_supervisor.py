import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from longshore.main.supervisor import identity, running
from longshore.testing import disks
from longshore.testing.wait import wait_until

PROGRAM = """
    import sys
    from pathlib import Path
    from longshore.main.supervisor import AlreadyRunning, Process, Supervisor
    base = Path(sys.argv[1])
    child = [sys.executable, "-c", "import time; time.sleep(1000)"]
    processes = [Process("one", child), Process("two", child)]
    try:
        Supervisor(processes, base / "run", base / "log").run()
    except AlreadyRunning as another:
        sys.exit(f"runs already: {another}")
"""


def _supervise(base):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(base)], stderr=subprocess.PIPE
    )


def _pid(base, name):
    return running(base / "run" / f"{name}.pid")


@pytest.fixture
def supervisor(tmp_path):
    process = _supervise(tmp_path)
    wait_until(lambda: _pid(tmp_path, "two"), what="both children run")
    yield process
    process.terminate()
    process.communicate(timeout=10)


def test_process_that_is_killed_comes_back(supervisor, tmp_path):
    first = _pid(tmp_path, "one")
    os.kill(first, signal.SIGKILL)
    second = wait_until(lambda: (pid := _pid(tmp_path, "one")) != first and pid)
    assert second != first
    assert _pid(tmp_path, "two")


def test_sigterm_ends_supervisor_and_children(tmp_path):
    process = _supervise(tmp_path)
    wait_until(lambda: _pid(tmp_path, "two"))
    pids = [_pid(tmp_path, "one"), _pid(tmp_path, "two")]
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert not any(identity(pid).split()[1:] for pid in pids)
    assert _pid(tmp_path, "supervisor") is None


def test_second_supervisor_of_the_same_directory_refuses(supervisor, tmp_path):
    second = _supervise(tmp_path)
    _, error = second.communicate(timeout=10)
    assert second.returncode == 1
    assert f"runs already: {supervisor.pid}" in error.decode()


def test_new_supervisor_replaces_what_a_killed_one_left(tmp_path):
    first = _supervise(tmp_path)
    wait_until(lambda: _pid(tmp_path, "two"))
    orphans = {_pid(tmp_path, "one"), _pid(tmp_path, "two")}
    first.kill()
    first.communicate(timeout=10)
    assert {_pid(tmp_path, "one"), _pid(tmp_path, "two")} == orphans
    second = _supervise(tmp_path)
    wait_until(lambda: (pid := _pid(tmp_path, "two")) and pid not in orphans)
    assert _pid(tmp_path, "one") not in orphans
    assert not any(identity(pid).split()[1:] for pid in orphans)
    second.terminate()
    second.communicate(timeout=10)


def test_pid_of_another_process_is_not_taken_for_ours(tmp_path):
    file = tmp_path / "x.pid"
    file.write_text(f"{os.getpid()} 12345")
    assert running(file) is None
    file.write_text(identity(os.getpid()))
    assert running(file) == os.getpid()


@pytest.fixture
def small_disk(tmp_path):
    with disks.small_disk(tmp_path / "disk", "64k") as disk:
        yield disk


def test_on_a_full_disk_a_process_comes_back_and_is_known_once_there_is_room(small_disk):
    process = _supervise(small_disk)
    try:
        wait_until(lambda: _pid(small_disk, "two"))
        first = _pid(small_disk, "one")
        (small_disk / "run" / "one.pid").unlink()
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(bytes(2**17))
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(_children(process.pid) - {first}) == 2, what="both run")
        assert process.poll() is None
        assert _pid(small_disk, "one") is None
        ballast.unlink()
        wait_until(lambda: _pid(small_disk, "one") in _children(process.pid))
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(child) for child in found.split() if identity(int(child)).split()[1:]}


WAITING = """
    import os, sys
    from pathlib import Path
    from longshore.main.serving import SERVING
    from longshore.main import supervisor
    from longshore.main.supervisor import Process, Supervisor
    base = Path(sys.argv[1])
    supervisor.PATIENCE_SECONDS = float(sys.argv[2])
    serving = (
        "import os, sys, time; from longshore.main.serving import tell_serving;"
        f"open({str(base / 'fifo')!r}).read(); tell_serving(); time.sleep(1000)"
    )
    waiting = f"import os, time; assert {SERVING!r} not in os.environ; time.sleep(1000)"
    Supervisor(
        [
            Process("one", [sys.executable, "-c", serving]),
            Process("two", [sys.executable, "-c", waiting], waits=True),
        ],
        base / "run",
        base / "log",
    ).run()
"""


@contextlib.contextmanager
def _one_waiting_for_another(base, patience):
    os.mkfifo(base / "fifo")
    program = [sys.executable, "-c", textwrap.dedent(WAITING), str(base), str(patience)]
    process = subprocess.Popen(program)
    try:
        yield wait_until(lambda: _pid(base, "one"))
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("ends", [False, True], ids=["serves", "dies"])
def test_process_that_waits_starts_once_the_first_one_serves_or_has_died(tmp_path, ends):
    with _one_waiting_for_another(tmp_path, patience=1000) as first:
        assert not _pid(tmp_path, "two")
        if ends:
            os.kill(first, signal.SIGKILL)
        else:
            # Opening it for writing waits for the process to have come so far.
            (tmp_path / "fifo").write_text("")
        second = wait_until(lambda: _pid(tmp_path, "two"))
        assert wait_until(lambda: _pid(tmp_path, "one"))
        assert _pid(tmp_path, "two") == second


def test_process_that_waits_does_not_wait_for_ever(tmp_path):
    with _one_waiting_for_another(tmp_path, patience=0.2):
        assert wait_until(lambda: _pid(tmp_path, "two"))
