"""What a container's process is given, and what becomes of what it prints."""

import asyncio
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from conformance.runtime.runtime_box import under_runc

from longshore.runtime.interface import Mount, RuntimeFailure, Ulimit
from longshore.testing.images import busybox_files
from longshore.testing.wait import eventually

TRAP = "trap 'echo caught; exit 3' TERM; echo ready; while true; do sleep 0.05; done"


async def test_output_of_each_stream_is_in_its_file_and_the_exit_code_is_told(real):
    container_id = await real.start("/bin/sh", "-c", "echo one; echo two >&2; exit 7")
    assert (await real.runtime.wait(container_id)).code == 7
    await real.runtime.remove_container(container_id)
    assert real.printed(container_id) == "one\n"
    assert real.printed(container_id, "stderr") == "two\n"


async def test_much_output_is_there_to_the_last_byte_once_the_container_is_removed(real):
    printed, ended = await real.output("yes harbour | head -c 8000000")
    assert ended.code == 0
    assert len(printed) == 8_000_000 - 1 or len(printed) == 8_000_000


async def test_output_of_a_container_with_the_same_logs_follows_the_first_ones(real):
    for word in ("first", "second"):
        logs = real.directory / "logs"
        container_id = await real.start("/bin/echo", word, log_directory=logs)
        await real.runtime.wait(container_id)
        await real.runtime.remove_container(container_id)
    assert (logs / "stdout").read_text() == "first\nsecond\n"


async def test_signal_reaches_the_first_process(real):
    container_id = await real.start("/bin/sh", "-c", TRAP)

    async def ready():
        return real.printed(container_id) == "ready\n"

    assert await eventually(ready)
    await real.runtime.signal(container_id, signal.SIGTERM)
    assert (await real.runtime.wait(container_id)).code == 3


@under_runc  # gVisor ends a first process that handles no signal, as any other
async def test_first_process_that_handles_no_signal_lives_on_until_sigkill(real):
    container_id = await real.start("/bin/sh", "-c", "echo ready; exec sleep 100")

    async def ready():
        return real.printed(container_id) == "ready\n"

    # Before that, the first process is runc's own, which ends on a signal.
    assert await eventually(ready)
    await real.runtime.signal(container_id, signal.SIGTERM)
    assert (await real.state(container_id)).status == "running"
    ended = await real.kill(container_id)
    assert (ended.code, ended.out_of_memory) == (137, False)


async def test_init_process_passes_signals_on_and_ends_as_its_program_does(real):
    container_id = await real.start("/bin/sh", "-c", TRAP, init=True)

    async def ready():
        return real.printed(container_id) == "ready\n"

    assert await eventually(ready)
    await real.runtime.signal(container_id, signal.SIGTERM)
    assert (await real.runtime.wait(container_id)).code == 3


@pytest.mark.parametrize(("init", "zombies"), [(True, b"0"), (False, b"1")])
async def test_orphans_are_taken_in_only_by_an_init_process(real, init, zombies):
    orphan = "/bin/sh -c 'sleep 0.1 & exit'; exec sleep 100"
    container_id = await real.start("/bin/sh", "-c", orphan, init=init)
    command = ["/bin/sh", "-c", "ps -o stat | grep -c ^Z; ps -o args | grep -c '^sleep 0.1'"]

    async def counted():
        _, told = await real.runtime.execute(container_id, command, 10)
        return told.split() == [zombies, b"0"]

    assert await eventually(counted)


async def test_environment_is_as_told_with_a_path_where_none_was(real):
    printed, _ = await real.output("echo $COLOUR; echo $PATH", environment=["COLOUR=blue"])
    assert printed.split() == [
        "blue",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]


async def test_working_directory_is_where_the_process_starts(real):
    printed, _ = await real.output("pwd", working_directory="/etc")
    assert printed == "/etc"


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("1000", "uid=1000 gid=0(root)"),
        ("keeper", "uid=1234(keeper) gid=56(harbour) groups=56(harbour),77(pilots)"),
        ("1234", "uid=1234(keeper) gid=56(harbour) groups=56(harbour),77(pilots)"),
        ("keeper:pilots", "uid=1234(keeper) gid=77(pilots)"),
        ("1000:2000", "uid=1000 gid=2000"),
    ],
)
async def test_user_is_looked_up_in_the_image(real, user, told):
    printed, _ = await real.output("id", user=user)
    assert printed.startswith(told)


async def test_unknown_user_is_refused_and_leaves_nothing_mounted(real):
    with pytest.raises(RuntimeFailure, match="unable to find user nobody-knows"):
        await real.create("/bin/id", user="nobody-knows")
    assert "longshore-image-" not in Path("/proc/mounts").read_text()


async def test_devices_and_pipes_of_an_image_are_not_read_for_its_users(real, containerd, tmp_path):
    passwd, group = tmp_path / "passwd", tmp_path / "group"
    os.mknod(passwd, 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
    os.mkfifo(group)
    files = {**busybox_files("id"), "etc/passwd": passwd, "etc/group": group}
    containerd.import_image("devices", files, {})
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeFailure, match="unable to find user keeper"):
            await real.create("/bin/id", user="keeper", image="devices")


async def test_read_only_root_cannot_be_written_but_its_mounts_can(real):
    printed, ended = await real.output(
        "touch /scratch/file && touch /file",
        read_only_root=True,
        mounts=(Mount(target="/scratch", kind="tmpfs"),),
    )
    assert ended.code != 0
    assert "Read-only file system" in printed
    assert "/file" in printed
    assert "/scratch" not in printed


async def test_tmpfs_has_the_size_it_was_given(real):
    mount = Mount(target="/scratch", kind="tmpfs", options=("size=1024k",))
    printed, ended = await real.output(
        "dd if=/dev/zero of=/scratch/f bs=1M count=2", mounts=(mount,)
    )
    assert ended.code != 0
    assert "No space left on device" in printed


async def test_bind_mount_shows_the_hosts_files_and_keeps_what_is_written(real, tmp_path):
    (tmp_path / "file").write_text("from the host")
    printed, _ = await real.output(
        "cat /data/file; echo back > /data/answer",
        mounts=(Mount(target="/data", source=str(tmp_path)),),
    )
    assert printed == "from the host"
    assert (tmp_path / "answer").read_text() == "back\n"


async def test_read_only_bind_mount_cannot_be_written(real, tmp_path):
    mount = Mount(target="/data", source=str(tmp_path), read_only=True)
    printed, ended = await real.output("touch /data/file", mounts=(mount,))
    assert ended.code != 0
    assert "Read-only file system" in printed
    assert not (tmp_path / "file").exists()


async def test_single_file_is_mounted_over_the_images(real, tmp_path):
    (tmp_path / "hosts").write_text("10.0.0.1 lighthouse\n")
    mount = Mount(target="/etc/hosts", source=str(tmp_path / "hosts"), read_only=True)
    printed, _ = await real.output("cat /etc/hosts", mounts=(mount,))
    assert printed == "10.0.0.1 lighthouse"


async def test_ulimits_are_set(real):
    printed, _ = await real.output(
        "ulimit -Sn; ulimit -Hn; ulimit -Sc",
        ulimits=(Ulimit("nofile", 200, 300), Ulimit("core", 0, 0)),
    )
    assert printed.split() == ["200", "300", "0"]


async def test_default_capabilities_are_dockers(real):
    printed, _ = await real.output("grep CapEff /proc/self/status")
    assert printed.split()[1] == "00000000a80425fb"


async def test_dropped_capability_is_missing_and_added_one_is_there(real):
    printed, ended = await real.output(
        "grep CapEff /proc/self/status; chown 5:5 /etc/passwd",
        capabilities_drop=("CHOWN",),
        capabilities_add=("SYS_PTRACE",),
    )
    mask = int(printed.split()[1], 16)
    assert ended.code != 0
    assert not mask & 1 << 0
    assert mask & 1 << 19


async def test_no_capabilities_are_left_where_all_are_dropped(real):
    printed, _ = await real.output("grep CapEff /proc/self/status", capabilities_drop=("ALL",))
    assert int(printed.split()[1], 16) == 0


async def test_user_other_than_root_has_no_capabilities(real):
    printed, _ = await real.output("grep CapEff /proc/self/status", user="keeper")
    assert int(printed.split()[1], 16) == 0


@under_runc  # gVisor's own kernel has nothing to break out to
async def test_container_cannot_mount_or_make_namespaces(real):
    printed, ended = await real.output("mount -t tmpfs none /etc")
    assert ended.code != 0
    assert "denied" in printed or "not permitted" in printed


async def test_shared_memory_is_64_mib_or_as_large_as_told(real):
    for size, kib in ((0, 65536), (8 * 2**20, 8192)):
        printed, _ = await real.output("df -k /dev/shm | tail -n 1", shared_memory=size)
        assert int(printed.split()[1]) == kib


@under_runc  # gVisor takes no sysctls
async def test_sysctl_of_the_containers_own_namespaces_is_set(real):
    printed, _ = await real.output(
        "cat /proc/sys/kernel/msgmax", sysctls={"kernel.msgmax": "16384"}
    )
    assert printed == "16384"


async def test_hostname_is_the_sandboxes(real):
    printed, _ = await real.output("hostname")
    assert printed == "lighthouse"
    assert socket.gethostname() != "lighthouse"


@under_runc  # there is nothing privileged on Fargate
async def test_privileged_container_sees_devices_and_holds_every_capability_of_the_host(real):
    printed, ended = await real.output(
        "grep CapEff /proc/self/status && ls /dev/fuse && mount -t tmpfs none /etc && echo mounted",
        privileged=True,
    )
    assert ended.code == 0, printed
    assert "mounted" in printed
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(line.split()[1] for line in status if line.startswith("CapBnd"))
    assert int(printed.split()[1], 16) == int(own, 16)


async def test_command_that_does_not_exist_cannot_be_started_and_says_which(real):
    with pytest.raises(RuntimeFailure, match="/no/such/program") as refused:
        await real.start("/no/such/program")
    assert refused.value.code == "CannotStartContainerError"


async def test_exec_runs_beside_the_first_process_in_its_environment(real):
    container_id = await real.start("/bin/sleep", "100", environment=["COLOUR=red"], user="keeper")
    code, printed = await real.runtime.execute(
        container_id, ["/bin/sh", "-c", "echo $COLOUR; id -u >&2; exit 3"], 10
    )
    assert code == 3
    assert sorted(printed.split()) == [b"1234", b"red"]


async def test_exec_that_takes_too_long_is_ended_and_the_container_runs_on(real):
    container_id = await real.start("/bin/sleep", "100")
    with pytest.raises(TimeoutError):
        await real.runtime.execute(container_id, ["/bin/sleep", "50"], 0.3)
    _, printed = await real.runtime.execute(container_id, ["/bin/ps", "-o", "args"], 10)
    assert b"sleep 100" in printed
    assert b"sleep 50" not in printed


async def test_exec_that_prints_without_end_is_kept_to_64_kib(real):
    container_id = await real.start("/bin/sleep", "100")
    command = ["/bin/sh", "-c", "yes | head -c 3000000"]
    code, printed = await real.runtime.execute(container_id, command, 20)
    assert code == 0
    assert len(printed) == 64 * 1024


async def test_many_execs_at_once_each_get_their_own_answer(real):
    container_id = await real.start("/bin/sleep", "100")
    answers = await asyncio.gather(
        *(
            real.runtime.execute(container_id, ["/bin/sh", "-c", f"echo {n}; exit {n}"], 30)
            for n in range(5)
        )
    )
    assert answers == [(n, f"{n}\n".encode()) for n in range(5)]


async def test_exec_of_a_program_that_is_not_there_fails_and_says_so(real):
    container_id = await real.start("/bin/sleep", "100")
    with pytest.raises(RuntimeFailure, match="no/such"):
        await real.runtime.execute(container_id, ["/no/such"], 10)
