"""OCI runtime specs (OCI Runtime Specification 1.2), built from `ContainerSpec`: pure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.runtime.interface import ContainerSpec, Limits, Mount, SandboxSpec

Json = dict[str, Any]

CRI_TYPE = "io.kubernetes.cri.container-type"
CRI_SANDBOX = "io.kubernetes.cri.sandbox-id"
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
    *DEFAULT_CAPABILITIES,
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "PERFMON",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
)
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
CPU_PERIOD = 100_000
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHARED_MEMORY = 64 * 2**20
MINIMUM_CPU_SHARES = 2


def container_spec(
    spec: ContainerSpec,
    sandbox: SandboxSpec,
    cgroup: str,
    ids: tuple[int, int, tuple[int, ...]],
    shared: Mapping[str, Path],
) -> Json:
    """The OCI spec of one container.

    `cgroup` is its path below the hierarchies; `ids` are user, group and further groups; `shared`
    gives namespaces to join by their OCI type (`pid`, `ipc`).
    """
    privileged = spec.privileged and sandbox.isolation == "runc"
    linux: Json = {
        "cgroupsPath": cgroup,
        "namespaces": _namespaces(sandbox, shared),
        "resources": resources(spec.limits, privileged),
        "maskedPaths": [] if privileged else list(MASKED_PATHS),
        "readonlyPaths": [] if privileged else list(READ_ONLY_PATHS),
        "devices": [],
    }
    if spec.sysctls:
        linux["sysctl"] = dict(spec.sysctls)
    if sandbox.isolation == "runc" and not privileged:
        linux["seccomp"] = _seccomp(spec)
    return {
        "ociVersion": "1.1.0",
        "process": _process(spec, ids, privileged),
        "root": {"path": "rootfs", "readonly": spec.read_only_root},
        "hostname": sandbox.hostname,
        "mounts": _mounts(spec, privileged),
        "linux": linux,
        "annotations": _annotations(sandbox, "container"),
    }


def pause_spec(sandbox: SandboxSpec, cgroup: str) -> Json:
    """The OCI spec of the container that holds a gVisor sandbox open."""
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
        "mounts": [_PROC],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": _namespaces(sandbox, {}),
            "resources": resources(sandbox.limits, False),
        },
        "annotations": _annotations(sandbox, "sandbox"),
    }


def _annotations(sandbox: SandboxSpec, kind: str) -> Json:
    if sandbox.isolation != "gvisor":
        return {}
    return {CRI_TYPE: kind, CRI_SANDBOX: sandbox.id}


def _namespaces(sandbox: SandboxSpec, shared: Mapping[str, Path]) -> list[Json]:
    namespaces: list[Json] = [{"type": "mount"}, {"type": "uts"}]
    if sandbox.namespace is not None:
        namespaces.append({"type": "network", "path": str(sandbox.namespace)})
    for kind, mode in (("pid", sandbox.pid_mode), ("ipc", sandbox.ipc_mode)):
        if kind in shared:
            namespaces.append({"type": kind, "path": str(shared[kind])})
        elif mode != "host":
            namespaces.append({"type": kind})
    return namespaces


def _process(spec: ContainerSpec, ids: tuple[int, int, tuple[int, ...]], privileged: bool) -> Json:
    user, group, further = ids
    names = capabilities(spec, privileged)
    environment = list(spec.environment)
    if not any(entry.startswith("PATH=") for entry in environment):
        environment.insert(0, DEFAULT_PATH)
    if spec.terminal and not any(entry.startswith("TERM=") for entry in environment):
        environment.append("TERM=xterm")
    return {
        "terminal": spec.terminal,
        "user": {"uid": user, "gid": group, "additionalGids": list(further)},
        "args": list(spec.arguments),
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


def capabilities(spec: ContainerSpec, privileged: bool) -> list[str]:
    """Names with `CAP_`, sorted."""
    if privileged or "ALL" in spec.capabilities_add:
        names = set(ALL_CAPABILITIES)
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


def _mounts(spec: ContainerSpec, privileged: bool) -> list[Json]:
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
    ]
    mounts += [_mount(mount) for mount in spec.mounts]
    mounts += [
        {
            "destination": device.container_path,
            "type": "bind",
            "source": device.host_path,
            "options": ["bind", "rw" if "w" in device.permissions else "ro"],
        }
        for device in spec.devices
    ]
    return mounts


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


def resources(limits: Limits, privileged: bool) -> Json:
    """`linux.resources`: zero limits are left out."""
    found: Json = {"devices": [{"allow": privileged, "access": "rwm"}]}
    if not privileged:
        found["devices"] += _usual_devices()
    cpu: Json = {}
    if limits.cpu_shares:
        cpu["shares"] = max(limits.cpu_shares, MINIMUM_CPU_SHARES)
    if limits.cpu_quota:
        cpu |= {"quota": int(limits.cpu_quota * CPU_PERIOD), "period": CPU_PERIOD}
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
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": [],
        "syscalls": [{"names": sorted(refused), "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
    }
