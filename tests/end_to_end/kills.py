"""kill -9 of Longshore's own processes, and how to live with it until all are back."""

import contextlib
import os
import signal
import subprocess

from botocore.exceptions import ConnectionError, HTTPClientError

from longshore.testing.wait import wait_until

BACK_SECONDS = 60
HELD_SECONDS = 1


def patiently(call, **arguments):
    """The call's response, however long the control plane is away."""

    def answered():
        try:
            return call(**arguments)
        except (ConnectionError, HTTPClientError):
            return None

    return wait_until(answered, BACK_SECONDS, f"{call.__name__} answers")


def kill(longshore, process):
    """Kill one of the processes; return once its successor has been started."""
    pid = longshore.pid(process)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: _pid(longshore, process) not in {None, pid}, BACK_SECONDS, process)


def await_whole(cloud):
    """Return when the control plane answers and the machine's agent is connected to it."""

    def connected():
        arns = patiently(cloud.ecs.list_container_instances)["containerInstanceArns"]
        told = patiently(cloud.ecs.describe_container_instances, containerInstances=arns)
        return all(instance["agentConnected"] for instance in told["containerInstances"])

    wait_until(connected, BACK_SECONDS, "the agent is connected")


def kill_agent_before_it_hears(longshore, size):
    """Kill the agent when a request of `size` bytes or more was carried out, unknown to it.

    Return once its successor has been started.
    """
    with hold_before_request(longshore, size):
        agent = longshore.pid("agent")
        os.kill(agent, signal.SIGSTOP)
    of_agent = f"pid={agent},"
    wait_until(lambda: _queued(longshore, "dport", of_agent) > 0, 10, "it is answered")
    kill(longshore, "agent")


def kill_control_plane_before_it_reads(longshore, size):
    """Kill the control plane when a request of `size` bytes or more has been sent to it.

    Return once its successor has been started.
    """
    with hold_before_request(longshore, size):
        kill(longshore, "control-plane")


@contextlib.contextmanager
def hold_before_request(longshore, size):
    """The control plane stands still inside of the block, a request of `size` bytes unread."""
    pid = longshore.pid("control-plane")

    def caught():
        os.kill(pid, signal.SIGSTOP)
        with contextlib.suppress(AssertionError):
            return wait_until(lambda: _queued(longshore, "sport") >= size, HELD_SECONDS)
        # It had read all that was sent; more comes only when that is answered.
        os.kill(pid, signal.SIGCONT)
        return False

    wait_until(caught, 20, "a request waits")
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _queued(longshore, end, owner=""):
    """Most bytes that a connection to the endpoint holds unread, at its server's end (`sport`) or
    its client's (`dport`)."""
    told = subprocess.run(
        ["ss", "-Htnp", end, "=", f":{longshore.port}"], check=True, capture_output=True, text=True
    ).stdout
    return max((int(line.split()[1]) for line in told.splitlines() if owner in line), default=0)


@contextlib.contextmanager
def outage(longshore, cloud):
    """No control plane inside of the block: it is killed, and whoever would start it sleeps."""
    supervisor = longshore.pid("supervisor")
    os.kill(supervisor, signal.SIGSTOP)
    try:
        os.kill(longshore.pid("control-plane"), signal.SIGKILL)
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)
        await_whole(cloud)


def _pid(longshore, process):
    # The file is written anew: for a moment it is empty.
    with contextlib.suppress(FileNotFoundError, IndexError):
        return longshore.pid(process)
    return None
