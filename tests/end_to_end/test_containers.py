"""What a container is given: each check below is a container that looks for it from inside."""

import pytest
from botocore.exceptions import ClientError
from end_to_end.checks import LAUNCH_TYPES, check, define, run_to_end

from longshore.testing.images import busybox_files

CAPABILITY = "test $((0x$(grep CapEff /proc/self/status | cut -f2) >> {bit} & 1)) -eq {value}"
CHECKS = {
    "its_command_replaces_that_of_the_image": check("exit 0"),
    "its_entry_point_forgets_the_command_of_the_image": {
        "entryPoint": ["sh", "-c", "test $# -eq 0", "sh"]
    },
    "its_command_follows_its_entry_point": {
        "entryPoint": ["sh", "-c", 'test "$1 $2" = "two words"', "sh"],
        "command": ["two", "words"],
    },
    "its_environment_covers_that_of_the_image": check(
        'test "$FROM,$KEPT,$SPACES" = "container,1,a b=c"',
        environment=[
            {"name": "FROM", "value": "container"},
            {"name": "SPACES", "value": "a b=c"},
        ],
    ),
    "overrides_cover_its_environment_and_command": check(
        "exit 9",
        environment=[{"name": "LEVEL", "value": "low"}, {"name": "OTHER", "value": "kept"}],
    ),
    "it_runs_as_a_user_of_the_image_with_all_their_groups": check(
        'test "$(id -u) $(id -g) $(id -G)" = "501 502 502 503"', user="keeper"
    ),
    "it_runs_as_numbers_that_the_image_does_not_know": check(
        'test "$(id -u) $(id -g)" = "1234 5678"', user="1234:5678"
    ),
    "its_working_directory_is_made_where_it_is_missing": check(
        'test "$(pwd)" = /srv/new', workingDirectory="/srv/new"
    ),
    "its_root_file_system_is_read_only": check("! touch /x", readonlyRootFilesystem=True),
    "its_root_file_system_can_be_written": check("touch /x"),
    "its_ulimits_hold": check(
        'ulimit -Sn; ulimit -Hn; test "$(ulimit -Sn) $(ulimit -Hn)" = "100 200"',
        ulimits=[{"name": "nofile", "softLimit": 100, "hardLimit": 200}],
    ),
    "a_dropped_capability_is_gone": check(
        "touch /x; ! chown 1 /x", linuxParameters={"capabilities": {"drop": ["CHOWN"]}}
    ),
    "it_has_the_usual_capabilities_only": check(
        CAPABILITY.format(bit=0, value=1) + "; " + CAPABILITY.format(bit=21, value=0)
    ),
    "an_added_capability_is_there": check(
        CAPABILITY.format(bit=19, value=1),
        linuxParameters={"capabilities": {"add": ["SYS_PTRACE"]}},
    ),
    "an_init_process_comes_first_where_asked_for": check(
        "grep -q docker-init /proc/1/cmdline; test $$ -ne 1",
        linuxParameters={"initProcessEnabled": True},
    ),
    "its_name_servers_are_those_it_asked_for": check(
        'grep -qx "nameserver 192.0.2.53" /etc/resolv.conf;'
        'grep -qx "search harbour.example" /etc/resolv.conf',
        dnsServers=["192.0.2.53"],
        dnsSearchDomains=["harbour.example"],
    ),
    "its_exit_code_is_kept": check("exit 7"),
    "its_labels_stand_in_its_metadata": check(
        'wget -qO- "$ECS_CONTAINER_METADATA_URI_V4" | grep -q \'"harbour": *"north"\'',
        dockerLabels={"harbour": "north"},
    ),
}
OVERRIDES = [
    {
        "name": "overrides_cover_its_environment_and_command",
        "command": ["sh", "-c", 'test "$LEVEL,$OTHER" = "high,kept"'],
        "environment": [{"name": "LEVEL", "value": "high"}],
    }
]
CODES = {"its_exit_code_is_kept": 7}


@pytest.fixture(scope="module")
def seen(cloud, restarting):
    """Every check's container of both launch types, run once as one task each."""
    found = {}

    def see(launch_type):
        if launch_type not in found:
            family = f"containers-{launch_type.lower()}"
            found[launch_type] = run_to_end(cloud, family, CHECKS, launch_type, OVERRIDES)
        return found[launch_type]

    return see


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
@pytest.mark.parametrize("sentence", CHECKS)
def test_container(seen, launch_type, sentence):
    container = seen(launch_type)[sentence]
    assert container.get("exitCode") == CODES.get(sentence, 0), container


HOST_CHECKS = {
    "a_device_of_the_machine_is_there_under_its_name": check(
        "test -c /dev/harbour; echo x > /dev/harbour",
        linuxParameters={"devices": [{"hostPath": "/dev/null", "containerPath": "/dev/harbour"}]},
    ),
    "its_system_controls_are_set": check(
        'test "$(cat /proc/sys/net/core/somaxconn)" = 1234',
        systemControls=[{"namespace": "net.core.somaxconn", "value": "1234"}],
    ),
    "without_networking_it_has_loopback_only": check(
        "test $(ip -o link | wc -l) -eq 1", disableNetworking=True
    ),
    "it_gains_no_privileges_where_that_is_forbidden": check(
        "grep -q 'NoNewPrivs:.*1' /proc/self/status", dockerSecurityOptions=["no-new-privileges"]
    ),
    "a_terminal_is_there_where_asked_for": check("test -t 1", pseudoTerminal=True),
    "an_added_capability_lets_it_change_the_network": check(
        "ip addr add 10.255.0.1/32 dev lo",
        linuxParameters={"capabilities": {"add": ["NET_ADMIN"]}},
    ),
    "without_the_capability_it_cannot_change_the_network": check(
        "! ip addr add 10.255.0.2/32 dev lo"
    ),
    "a_tmpfs_has_its_size": check(
        "df -m /scratch | grep -q '^tmpfs  *16 '; ! dd if=/dev/zero of=/scratch/x bs=1M count=17",
        linuxParameters={"tmpfs": [{"containerPath": "/scratch", "size": 16}]},
    ),
    "its_shared_memory_has_its_size": check(
        "df -m /dev/shm | grep -q ' 128 '", linuxParameters={"sharedMemorySize": 128}
    ),
    "a_privileged_one_may_mount": check("mount -t tmpfs none /mnt", privileged=True),
    "an_ordinary_one_may_not_mount": check("mkdir /m; ! mount -t tmpfs none /m"),
    "its_further_hosts_have_names": check(
        'grep -q "^192.0.2.7[[:space:]]*buoy$" /etc/hosts',
        extraHosts=[{"hostname": "buoy", "ipAddress": "192.0.2.7"}],
    ),
    "its_host_name_is_the_one_it_asked_for": check(
        'test "$(hostname)" = lighthouse; grep -q lighthouse /etc/hosts', hostname="lighthouse"
    ),
}
HOST_CHECKS["a_privileged_one_may_mount"]["workingDirectory"] = "/mnt"


@pytest.fixture(scope="module")
def seen_on_host(cloud):
    return run_to_end(cloud, "containers-host", HOST_CHECKS, "EC2", networkMode="bridge")


@pytest.mark.parametrize("sentence", HOST_CHECKS)
def test_container_on_the_machine(seen_on_host, sentence):
    assert seen_on_host[sentence].get("exitCode") == 0, seen_on_host[sentence]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("privileged", True),
        ("extraHosts", [{"hostname": "buoy", "ipAddress": "192.0.2.7"}]),
        ("linuxParameters", {"capabilities": {"add": ["NET_ADMIN"]}}),
        ("linuxParameters", {"sharedMemorySize": 128}),
    ],
)
def test_fargate_refuses_what_only_a_machine_of_ones_own_gives(cloud, member, value):
    with pytest.raises(ClientError, match="Fargate compatible task definitions do not support"):
        containers = {"main": check("true", essential=True, **{member: value})}
        define(cloud, "refused", containers, "FARGATE")


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_containers_of_one_task_share_localhost_and_with_pid_mode_task_their_processes(
    cloud, launch_type
):
    containers = {
        "server": check(
            "mkdir -p /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www",
        ),
        "client": check(
            "until wget -qO- http://127.0.0.1:8080/ | grep -q hello; do sleep 0.1; done;"
            "ps | grep -q '[h]ttpd -f -p 8080'",
            essential=True,
            dependsOn=[{"containerName": "server", "condition": "START"}],
        ),
    }
    arn = define(cloud, "localhost", containers, launch_type, pidMode="task")
    (task,) = cloud.run(arn, launch_type)
    ended = {each["name"]: each for each in cloud.await_status(task, "STOPPED")["containers"]}
    assert ended["client"]["exitCode"] == 0, ended


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_the_entry_point_of_the_image_takes_the_command_of_the_container(cloud, launch_type):
    entry = {"Entrypoint": ["/bin/sh", "-c", 'test "$0" = given'], "Cmd": ["of the image"]}
    image = cloud.image("entry", busybox_files("sh", "test"), entry)
    containers = {
        "with_its_own": {"image": image, "command": ["given"]},
        "with_the_images": {"image": image},
    }
    ended = run_to_end(cloud, "entry", containers, launch_type)
    assert ended["with_its_own"]["exitCode"] == 0
    assert ended["with_the_images"]["exitCode"] == 1
