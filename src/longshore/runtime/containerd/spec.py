"""OCI runtime specs (OCI Runtime Specification 1.2), built from `ContainerSpec`: pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshore.runtime.interface import ContainerSpec, Limits, Mount, SandboxSpec

Json = dict[str, Any]

CRI_TYPE = "io.kubernetes.cri.container-type"
CRI_SANDBOX = "io.kubernetes.cri.sandbox-id"
ROOT_HINT, MOUNT_HINT = "dev.gvisor.spec.rootfs", "dev.gvisor.spec.mount"
"""Annotations that say how gVisor keeps what is written (runsc/boot/mount_hints.go)."""
DEFAULT_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
"""What docker gives a container ("Runtime privilege and Linux capabilities")."""
ALL_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)
"""In the order of their numbers (linux/capability.h)."""
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
REFUSED_CALLS = (
    "acct",
    "add_key",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "query_module",
    "quotactl",
    "reboot",
    "request_key",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "ustat",
    "vm86",
    "vm86old",
)
"""System calls that no container needs and that have broken out of some."""
NAMESPACE_FLAGS = (
    0x00020000,  # CLONE_NEWNS
    0x02000000,  # CLONE_NEWCGROUP
    0x04000000,  # CLONE_NEWUTS
    0x08000000,  # CLONE_NEWIPC
    0x10000000,  # CLONE_NEWUSER
    0x20000000,  # CLONE_NEWPID
    0x40000000,  # CLONE_NEWNET
)
ENOSYS = 38
INIT = "/sbin/docker-init"
"""Where Docker puts the init process of a container that asks for one."""
CPU_PERIOD = 100_000
KERNEL_CPU_PERIOD = 1_000_000
"""Microseconds, the longest that Linux knows. A gVisor kernel takes 0.2 s of CPU to start: a
quarter of a vCPU has that at once this way, and would be stopped eight times in periods of 0.1 s.
"""
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHARED_MEMORY = 64 * 2**20
MINIMUM_CPU_SHARES = 2


@dataclass(frozen=True, kw_only=True)
class Host:
    """What a container's spec takes from the host."""

    init: Path
    """The program that takes orphans in, where a container wants one."""
    capabilities: frozenset[str]
    """What this process may hand on: less than all in a container or without root."""
    devices: Sequence[Json] = ()
    """OCI's `linux.devices`, with the `access` that each allows beside."""


def container_spec(
    spec: ContainerSpec,
    sandbox: SandboxSpec,
    cgroup: str,
    ids: tuple[int, int, tuple[int, ...]],
    shared: Mapping[str, Path],
    host: Host,
) -> Json:
    """The OCI spec of one container.

    `cgroup` is its path below the hierarchies; `ids` are user, group and further groups; `shared`
    gives namespaces to join by their OCI type (`pid`, `ipc`).
    """
    privileged = spec.privileged and sandbox.isolation == "runc"
    linux: Json = {
        "cgroupsPath": cgroup,
        "namespaces": [
            namespace
            for namespace in _namespaces(sandbox, shared, spec.namespace)
            if not _is_kernels(namespace, sandbox)
        ],
        "resources": resources(spec.limits, privileged),
        "maskedPaths": [] if privileged else list(MASKED_PATHS),
        "readonlyPaths": [] if privileged else list(READ_ONLY_PATHS),
        "devices": [_without_access(device) for device in host.devices],
    }
    linux["resources"]["devices"] += [_rule(device) for device in host.devices]
    if spec.sysctls:
        linux["sysctl"] = dict(spec.sysctls)
    if sandbox.isolation == "runc" and not privileged:
        linux["seccomp"] = _seccomp(spec)
    return {
        "ociVersion": "1.1.0",
        "process": _process(spec, ids, capabilities(spec, privileged, host.capabilities)),
        "root": {"path": "rootfs", "readonly": spec.read_only_root},
        "hostname": spec.hostname or sandbox.hostname,
        "mounts": _mounts(spec, privileged, host.init),
        "linux": linux,
        "annotations": _annotations(sandbox, "container") | _root_limit(sandbox),
    }


def pause_spec(sandbox: SandboxSpec, cgroup: str) -> Json:
    """The OCI spec of the container that holds a sandbox, or its namespaces, open."""
    return {
        "ociVersion": "1.1.0",
        "process": {
            "args": ["/pause"],
            "cwd": "/",
            "env": [],
            "user": {"uid": 65535, "gid": 65535},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": sandbox.hostname,
        "mounts": [_PROC, _tmpfs("/dev", ["nosuid", "mode=755", "size=64k"])],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": _namespaces(sandbox, {}, None),
            "resources": _pause_resources(sandbox),
        },
        "annotations": _annotations(sandbox, "sandbox") | _volume_limits(sandbox),
    }


def _annotations(sandbox: SandboxSpec, kind: str) -> Json:
    if sandbox.isolation != "gvisor":
        return {}
    return {CRI_TYPE: kind, CRI_SANDBOX: sandbox.id}


def _root_limit(sandbox: SandboxSpec) -> Json:
    """What a container writes to its root lies in one file of its snapshot; gVisor sizes it."""
    if sandbox.isolation != "gvisor" or not sandbox.storage:
        return {}
    return {
        f"{ROOT_HINT}.source": "/",
        f"{ROOT_HINT}.type": "bind",
        f"{ROOT_HINT}.overlay": "self",
        f"{ROOT_HINT}.options": f"size={sandbox.storage}",
    }


def _volume_limits(sandbox: SandboxSpec) -> Json:
    """What the containers of a sandbox write to a volume lies in one file of its directory."""
    if sandbox.isolation != "gvisor" or not sandbox.storage:
        return {}
    found: Json = {}
    for number, volume in enumerate(sandbox.volumes):
        hint = f"{MOUNT_HINT}.volume{number}"
        found |= {
            f"{hint}.source": str(volume),
            f"{hint}.type": "tmpfs",
            f"{hint}.share": "pod",
            f"{hint}.options": f"rw,mode=0755,size={sandbox.storage}",
        }
    return found


def _namespaces(sandbox: SandboxSpec, shared: Mapping[str, Path], own: Path | None) -> list[Json]:
    namespaces: list[Json] = [{"type": "mount"}, {"type": "uts"}]
    network = own or sandbox.namespace
    if network is not None:
        namespaces.append({"type": "network", "path": str(network)})
    for kind, mode in (("pid", sandbox.pid_mode), ("ipc", sandbox.ipc_mode)):
        if kind in shared:
            namespaces.append({"type": kind, "path": str(shared[kind])})
        elif mode != "host":
            namespaces.append({"type": kind})
    return namespaces


def _is_kernels(namespace: Json, sandbox: SandboxSpec) -> bool:
    """Whether the container is to have its gVisor kernel's namespace, not one of its own."""
    shares = sandbox.isolation == "gvisor" and sandbox.pid_mode == "task"
    return shares and namespace["type"] == "pid"


def _process(
    spec: ContainerSpec, ids: tuple[int, int, tuple[int, ...]], names: Sequence[str]
) -> Json:
    user, group, further = ids
    environment = list(spec.environment)
    if not any(entry.startswith("PATH=") for entry in environment):
        environment.insert(0, DEFAULT_PATH)
    if spec.terminal and not any(entry.startswith("TERM=") for entry in environment):
        environment.append("TERM=xterm")
    return {
        "terminal": spec.terminal,
        "user": {"uid": user, "gid": group, "additionalGids": list(further)},
        "args": [*((INIT, "--") if spec.init else ()), *spec.arguments],
        "env": environment,
        "cwd": spec.working_directory or "/",
        "capabilities": {
            # A user other than root has what it is allowed only through file capabilities.
            "bounding": names,
            "effective": names if user == 0 else [],
            "permitted": names if user == 0 else [],
        },
        "rlimits": [
            {"type": f"RLIMIT_{limit.name.upper()}", "soft": limit.soft, "hard": limit.hard}
            for limit in spec.ulimits
        ],
        "noNewPrivileges": spec.no_new_privileges,
    }


def capabilities(spec: ContainerSpec, privileged: bool, held: Collection[str]) -> list[str]:
    """Names with `CAP_`, sorted; "all of them" are those that are `held`."""
    if privileged or "ALL" in spec.capabilities_add:
        names = set(held)
    else:
        dropped_all = "ALL" in spec.capabilities_drop
        names = set() if dropped_all else set(DEFAULT_CAPABILITIES)
        names |= {name.removeprefix("CAP_") for name in spec.capabilities_add}
    names -= {name.removeprefix("CAP_") for name in spec.capabilities_drop}
    return sorted(f"CAP_{name}" for name in names)


_PROC: Json = {
    "destination": "/proc",
    "type": "proc",
    "source": "proc",
    "options": ["nosuid", "noexec", "nodev"],
}


def _mounts(spec: ContainerSpec, privileged: bool, init: Path) -> list[Json]:
    size = spec.shared_memory or DEFAULT_SHARED_MEMORY
    access = "rw" if privileged else "ro"
    mounts = [
        _PROC,
        _tmpfs("/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        },
        _tmpfs("/dev/shm", ["nosuid", "noexec", "nodev", "mode=1777", f"size={size}"]),  # noqa: S108
        {
            "destination": "/dev/mqueue",
            "type": "mqueue",
            "source": "mqueue",
            "options": ["nosuid", "noexec", "nodev"],
        },
        {
            "destination": "/sys",
            "type": "sysfs",
            "source": "sysfs",
            "options": ["nosuid", "noexec", "nodev", access],
        },
        {
            # Language runtimes size their heaps by what they read here.
            "destination": "/sys/fs/cgroup",
            "type": "cgroup",
            "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "relatime", access],
        },
    ]
    if spec.init:
        mounts.append(_mount(Mount(target=INIT, source=str(init), read_only=True)))
    return mounts + [_mount(mount) for mount in spec.mounts]


def _without_access(device: Json) -> Json:
    return {name: value for name, value in device.items() if name != "access"}


def _rule(device: Json) -> Json:
    names = ("type", "major", "minor", "access")
    return {"allow": True, **{name: device[name] for name in names}}


def _tmpfs(target: str, options: list[str]) -> Json:
    return {"destination": target, "type": "tmpfs", "source": "tmpfs", "options": options}


def _mount(mount: Mount) -> Json:
    if mount.kind == "tmpfs":
        return _tmpfs(mount.target, ["nosuid", "nodev", *mount.options])
    access = "ro" if mount.read_only else "rw"
    return {
        "destination": mount.target,
        "type": "bind",
        "source": mount.source,
        "options": ["rbind", access, *mount.options],
    }


def _pause_resources(sandbox: SandboxSpec) -> Json:
    period = KERNEL_CPU_PERIOD if sandbox.isolation == "gvisor" else CPU_PERIOD
    return resources(sandbox.limits, False, period)


def resources(limits: Limits, privileged: bool, cpu_period: int = CPU_PERIOD) -> Json:
    """`linux.resources`: zero limits are left out; `cpu_period` in microseconds."""
    found: Json = {"devices": [{"allow": privileged, "access": "rwm"}]}
    if not privileged:
        found["devices"] += _usual_devices()
    cpu: Json = {}
    if limits.cpu_shares:
        cpu["shares"] = max(limits.cpu_shares, MINIMUM_CPU_SHARES)
    if limits.cpu_quota:
        cpu |= {"quota": int(limits.cpu_quota * cpu_period), "period": cpu_period}
    memory: Json = {}
    if limits.memory:
        memory["limit"] = limits.memory
    if limits.memory_reservation:
        memory["reservation"] = limits.memory_reservation
    for name, part in (("cpu", cpu), ("memory", memory)):
        if part:
            found[name] = part
    if limits.pids:
        found["pids"] = {"limit": limits.pids}
    return found


def _usual_devices() -> list[Json]:
    """/dev/null, zero, full, random, urandom, tty, console, ptmx and pseudo-terminals."""
    numbers = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (136, None))
    return [
        {"allow": True, "type": "c", "major": major, "access": "rwm"}
        | ({"minor": minor} if minor is not None else {})
        for major, minor in numbers
    ]


def _seccomp(spec: ContainerSpec) -> Json:
    refused = set(REFUSED_CALLS)
    added = {name.removeprefix("CAP_") for name in spec.capabilities_add}
    if "SYS_PTRACE" in added:
        refused -= {"ptrace", "process_vm_readv", "process_vm_writev", "kcmp"}
    if added & {"SYS_ADMIN", "ALL"}:
        refused = {"kexec_load", "kexec_file_load"}
    calls: list[Json] = [{"names": sorted(refused), "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
    if "unshare" in refused:
        calls += _no_new_namespaces()
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [], "syscalls": calls}


def _no_new_namespaces() -> list[Json]:
    """Refuse clone(2) with a namespace's flag, and clone3(2), whose flags no filter can see."""
    found: list[Json] = [
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 1,
            "args": [{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}],
        }
        for flag in NAMESPACE_FLAGS
    ]
    return [*found, {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}]
