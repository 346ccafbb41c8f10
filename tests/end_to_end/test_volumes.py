"""What containers of one task, and tasks of one machine, write for each other."""

import pytest
from end_to_end.checks import LAUNCH_TYPES, check, define, run_to_end

START = "START"


def after(name, condition="SUCCESS"):
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


def mount(path, volume="shared", read_only=False):
    return {"sourceVolume": volume, "containerPath": path, "readOnly": read_only}


WRITER = check("echo written > /out/file", mountPoints=[mount("/out")])
CHECKS = {
    "writer": WRITER,
    "another_container_reads_what_was_written": check(
        "grep -q written /in/file", mountPoints=[mount("/in")], **after("writer")
    ),
    "one_that_mounts_it_read_only_cannot_write": check(
        "! touch /in/new; test -e /in/file",
        mountPoints=[mount("/in", read_only=True)],
        **after("writer"),
    ),
    "volumes_from_gives_the_same_paths": check(
        "grep -q written /out/file; touch /out/more",
        volumesFrom=[{"sourceContainer": "writer"}],
        **after("writer"),
    ),
    "volumes_from_can_be_read_only": check(
        "grep -q written /out/file; ! touch /out/less",
        volumesFrom=[{"sourceContainer": "writer", "readOnly": True}],
        **after("writer"),
    ),
    "another_volume_is_empty": check('test -z "$(ls /in)"', mountPoints=[mount("/in", "other")]),
    "a_user_other_than_root_finds_it_as_root_made_it": check(
        "! touch /in/theirs", user="1000", mountPoints=[mount("/in")], **after("writer")
    ),
}


@pytest.fixture(scope="module")
def seen(cloud):
    """Every check's container of both launch types, run once as one task each."""
    found = {}

    def see(launch_type):
        if launch_type not in found:
            volumes = [{"name": "shared"}, {"name": "other", "host": {}}]
            family = f"volumes-{launch_type.lower()}"
            found[launch_type] = run_to_end(cloud, family, CHECKS, launch_type, volumes=volumes)
        return found[launch_type]

    return see


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
@pytest.mark.parametrize("sentence", CHECKS)
def test_volume(seen, launch_type, sentence):
    assert seen(launch_type)[sentence].get("exitCode") == 0, seen(launch_type)[sentence]


def test_a_path_of_the_machine_is_bound_into_the_container(cloud, tmp_path):
    (tmp_path / "given").write_text("from the machine\n")
    script = "grep -q machine /data/given; echo back > /data/made; ! touch /only/x"
    containers = {"main": check(script, mountPoints=[mount("/data"), mount("/only", "ro", True)])}
    host = {"sourcePath": str(tmp_path)}
    ended = run_to_end(
        cloud,
        "bound",
        containers,
        "EC2",
        volumes=[{"name": "shared", "host": host}, {"name": "ro", "host": host}],
    )
    assert ended["main"]["exitCode"] == 0
    assert (tmp_path / "made").read_text() == "back\n"


def docker_volume(name, scope, autoprovision=None):
    configuration = {"scope": scope, "driver": "local"}
    if autoprovision is not None:
        configuration["autoprovision"] = autoprovision
    return {"name": name, "dockerVolumeConfiguration": configuration}


def test_a_shared_docker_volume_outlives_its_task_and_a_task_scoped_one_does_not(cloud):
    mounts = {"mountPoints": [mount("/kept", "kept"), mount("/lost", "lost")]}
    volumes = [docker_volume("kept", "shared", True), docker_volume("lost", "task")]
    first = check("echo here > /kept/file; echo here > /lost/file", **mounts)
    second = check("grep -q here /kept/file; test ! -e /lost/file", **mounts)
    for script in (first, second):
        ended = run_to_end(cloud, "docker-volumes", {"main": script}, "EC2", volumes=volumes)
        assert ended["main"]["exitCode"] == 0, ended


def test_a_shared_docker_volume_that_nobody_made_stops_the_task(cloud):
    containers = {"main": check("true", essential=True, mountPoints=[mount("/v", "missing")])}
    volumes = [docker_volume("missing", "shared", False)]
    arn = define(cloud, "unmade", containers, "EC2", volumes=volumes)
    (task,) = cloud.run(arn, "EC2")
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert "no such volume" in ended["stoppedReason"]


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_what_a_task_wrote_is_gone_with_it(cloud, longshore, launch_type):
    containers = {"main": check("echo x > /out/f; sleep 60", mountPoints=[mount("/out")])}
    containers["main"]["essential"] = True
    arn = define(cloud, "gone", containers, launch_type, volumes=[{"name": "shared"}])
    (task,) = cloud.run(arn, launch_type)
    cloud.await_status(task, "RUNNING")
    work = longshore.data_dir / "agent" / "work" / task.rpartition("/")[2]
    assert work.exists()
    cloud.stop(task)
    assert not work.exists()


KIBIBYTES = "$(df -k {} | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2)"


@pytest.mark.parametrize(("stated", "gibibytes"), [({}, 20), ({"sizeInGiB": 30}, 30)])
def test_ephemeral_storage_of_fargate_bounds_root_and_volumes(cloud, stated, gibibytes):
    sizes = [f"test {KIBIBYTES.format(path)} -eq {gibibytes * 2**20}" for path in ("/", "/out")]
    containers = {"main": check("; ".join(sizes), mountPoints=[mount("/out")])}
    further = {"ephemeralStorage": stated} if stated else {}
    volumes = [{"name": "shared"}]
    family = f"storage-{gibibytes}"
    ended = run_to_end(cloud, family, containers, "FARGATE", volumes=volumes, **further)
    assert ended["main"]["exitCode"] == 0, ended["main"]
    (task,) = cloud.ecs.list_tasks(family=family, desiredStatus="STOPPED")["taskArns"]
    assert cloud.task(task)["ephemeralStorage"] == {"sizeInGiB": gibibytes}
