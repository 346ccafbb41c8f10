"""The task's sandbox: its cgroup and, under gVisor, its kernel."""

from pathlib import Path

from longshore.agent.hooks.interface import Work
from longshore.agent.hooks.names import hostname
from longshore.agent.hooks.volumes import volumes_of
from longshore.runtime.interface import Limits, SandboxSpec

MIB, GIB = 2**20, 2**30
PID_MAX = Path("/proc/sys/kernel/pid_max")
TASK_SHARE = 4
"""One task may have this part of the machine's processes, so that none takes them all."""
MOST_PROCESSES = 32768


class Sandbox:
    """Made while secrets and images are fetched; with it go its containers."""

    async def set_up(self, work: Work) -> None:
        """See `interface.Hook`."""
        task = work.task
        await work.host.runtime.create_sandbox(
            SandboxSpec(
                id=work.record.sandbox_id,
                isolation=work.isolation,
                namespace=work.namespace,
                limits=Limits(
                    cpu_quota=task.cpu,
                    cpu_shares=int(task.cpu * 1024) or sum(each.cpu for each in task.containers),
                    memory=task.memory * MIB,
                    pids=most_processes(int(PID_MAX.read_text())),
                ),
                hostname="" if work.network_mode == "host" else hostname(work),
                pid_mode=task.pid_mode,
                ipc_mode=task.ipc_mode,
                labels={"longshore/task-arn": task.arn},
                storage=task.ephemeral_storage * GIB,
                volumes=volumes_of(work),
            )
        )

    async def tear_down(self, work: Work) -> None:
        """See `interface.Hook`."""
        await work.host.runtime.remove_sandbox(work.record.sandbox_id)


def most_processes(pid_max: int) -> int:
    """How many processes and threads a task may have on a machine with this pid_max."""
    return min(MOST_PROCESSES, pid_max // TASK_SHARE)
