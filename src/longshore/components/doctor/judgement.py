"""What facts mean for Longshore, and what mends them (pure)."""

from collections.abc import Iterator, Sequence

from longshore.components.doctor.facts import (
    CAP_NET_ADMIN,
    CAP_SYS_ADMIN,
    CAP_SYS_RESOURCE,
    CONTROLLERS,
    Machine,
)
from longshore.components.doctor.finding import Finding, Level
from longshore.components.doctor.kernel import Attempt
from longshore.components.installer import State

GIB = 1 << 30
DISK_NEEDED, DISK_WANTED = 2 * GIB, 10 * GIB
MEMORY_WANTED = 2 * GIB
ARCHITECTURES = ("x86_64", "aarch64")


def rights(machine: Machine) -> Iterator[Finding]:
    """Root, and the capabilities that containers and the fabric need."""
    if not machine.root:
        yield Finding(
            "root", Level.FAIL, "containers and networks need root", "sudo longshore doctor"
        )
        return
    missing = {
        name
        for name, number in (("CAP_SYS_ADMIN", CAP_SYS_ADMIN), ("CAP_NET_ADMIN", CAP_NET_ADMIN))
        if number not in machine.capabilities
    }
    if missing:
        yield Finding(
            "root",
            Level.FAIL,
            f"this root lacks {' and '.join(sorted(missing))}",
            "run Longshore on the machine itself or in a privileged container",
        )
    else:
        yield Finding("root", Level.OK, "root, with the capabilities that containers need")
    if CAP_SYS_RESOURCE not in machine.capabilities:
        yield Finding(
            "oom score",
            Level.INFO,
            "without CAP_SYS_RESOURCE the kernel may end containerd when memory runs out, "
            "and a container's ulimits stay below this shell's",
        )


def processor(machine: Machine) -> Iterator[Finding]:
    if machine.architecture in ARCHITECTURES:
        yield Finding("machine", Level.OK, f"{machine.architecture}, Linux {machine.kernel}")
    else:
        yield Finding(
            "machine",
            Level.FAIL,
            f"gVisor does not run on {machine.architecture}; it needs x86_64 or aarch64",
        )


def features(attempts: Sequence[Attempt] | None) -> Iterator[Finding]:
    """`attempts` is None where they could not be made."""
    if attempts is None:
        yield Finding(
            "kernel features",
            Level.WARN,
            "not tried: only root can make namespaces",
            "sudo longshore doctor",
        )
        return
    for attempt in attempts:
        feature = attempt.feature
        if attempt.failure:
            meaning = f"needed for {feature.use}; {attempt.failure}"
            yield Finding(feature.name, Level.FAIL, meaning, feature.mend)
        else:
            yield Finding(feature.name, Level.OK, f"works ({feature.use})")


def cgroups(machine: Machine) -> Iterator[Finding]:
    missing = [name for name in CONTROLLERS if name not in machine.controllers]
    if machine.cgroup_version == 0 or missing:
        yield Finding(
            "cgroups",
            Level.FAIL,
            f"tasks cannot be limited: no controller for {', '.join(missing)}",
            "add systemd.unified_cgroup_hierarchy=1 cgroup_enable=memory to the kernel's command"
            " line, then reboot",
        )
    elif not machine.cgroup_writable and machine.root:
        yield Finding(
            "cgroups",
            Level.FAIL,
            f"version {machine.cgroup_version}, but read-only: tasks cannot be limited",
            "mount -o remount,rw /sys/fs/cgroup",
        )
    elif machine.cgroup_busy:
        yield Finding(
            "cgroups",
            Level.FAIL,
            "version 2, but processes lie in its top cgroup, as in containers: tasks cannot be "
            "limited",
            "mkdir -p /sys/fs/cgroup/init; for pid in $(cat /sys/fs/cgroup/cgroup.procs); do "
            "echo $pid > /sys/fs/cgroup/init/cgroup.procs; done",
        )
    else:
        yield Finding("cgroups", Level.OK, f"version {machine.cgroup_version}, with limits")


def ports(machine: Machine) -> Iterator[Finding]:
    shown = ", ".join(map(str, machine.ports))
    if machine.running_here:
        yield Finding("ports", Level.OK, f"{shown}: this Longshore is up")
    elif machine.ports_taken:
        taken = ", ".join(map(str, machine.ports_taken))
        first = machine.ports_taken[0]
        yield Finding(
            "ports",
            Level.FAIL,
            f"something else listens on {taken}",
            f"ss -ltnp 'sport = :{first}'; or start with another port: longshore up --port 14566",
        )
    else:
        yield Finding("ports", Level.OK, f"{shown} are free")


def space(machine: Machine) -> Iterator[Finding]:
    """Disk space of the data directory, and memory."""
    free = f"{machine.disk_free / GIB:.1f} GiB free in {machine.disk_path}"
    if machine.disk_free < DISK_WANTED:
        level = Level.FAIL if machine.disk_free < DISK_NEEDED else Level.WARN
        yield Finding(
            "disk",
            level,
            f"{free}; images and builds want {DISK_WANTED // GIB} GiB",
            "longshore up --data-dir DIRECTORY_ON_A_LARGER_DISK",
        )
    else:
        yield Finding("disk", Level.OK, free)
    memory = f"{machine.memory / GIB:.1f} GiB"
    if machine.memory < MEMORY_WANTED:
        yield Finding("memory", Level.WARN, f"{memory}; few tasks will fit")
    else:
        yield Finding("memory", Level.OK, memory)


def clock(machine: Machine) -> Iterator[Finding]:
    """Signatures are good for five minutes, so clients' clocks must agree with this one."""
    if machine.now < machine.newest_file:
        yield Finding(
            "clock",
            Level.FAIL,
            "it is behind the time at which Longshore was installed; signatures will be refused",
            "timedatectl set-ntp true",
        )
    elif machine.clock_synchronised is False:
        yield Finding(
            "clock",
            Level.WARN,
            "nothing synchronises it; clients on other machines are refused if theirs differs "
            "by more than five minutes",
            "apt-get install chrony",
        )
    else:
        yield Finding("clock", Level.OK, "synchronised")


def components(states: Sequence[State]) -> Iterator[Finding]:
    for state in states:
        component = state.component
        if state.present:
            meaning = f"{state.version} ({state.source}: {state.path})"
            yield Finding(component.name, Level.OK, meaning)
        elif component.wanted:
            yield Finding(
                component.name,
                Level.FAIL,
                f"missing: {component.purpose}",
                f"longshore components install {component.name}",
            )
