"""Containers that check what they see and say so by their exit code: 0, or the line that failed."""

from end_to_end.cloud import awslogs

from longshore.testing.images import busybox_files

LAUNCH_TYPES = ("FARGATE", "EC2")
APPLETS = (
    *("sh", "busybox", "cat", "chown", "cut", "df", "dd", "env", "false", "grep", "head"),
    *(
        "hostname",
        "httpd",
        "id",
        "ip",
        "kill",
        "ls",
        "mkdir",
        "mount",
        "nc",
        "ps",
        "pwd",
        "rm",
        "seq",
    ),
    *("sleep", "tail", "test", "touch", "tr", "true", "ulimit", "uname", "wc", "wget", "yes"),
)
LOGS = "/checks"
USUAL = {
    "essential": False,
    "memory": 64,
    "stopTimeout": 2,
    "logConfiguration": awslogs(LOGS),
}
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nkeeper:x:501:502::/home/keeper:/bin/sh\n"
GROUP = b"root:x:0:\nkeepers:x:502:\nwatch:x:503:keeper\n"


def checking_image(cloud):
    """Busybox with users and groups; its command fails, so that a check must give another."""
    files = {
        **busybox_files(*(name for name in APPLETS if name != "busybox")),
        "etc/passwd": PASSWD,
        "etc/group": GROUP,
    }
    return cloud.image("checking", files, {"Cmd": ["/bin/false"], "Env": ["FROM=image", "KEPT=1"]})


def check(script, **settings):
    """A container that runs a shell script, whose first failing line ends it with an error."""
    return {"command": ["sh", "-ec", script], **settings}


def define(cloud, family, containers, launch_type, **further):
    """Register a task of named containers for one launch type; its ARN."""
    image = checking_image(cloud)
    definitions = [
        {"name": name, "image": image, **USUAL, **container}
        for name, container in containers.items()
    ]
    sizes = {"cpu": "256", "memory": "1024"}
    fargate = launch_type == "FARGATE"
    return cloud.definition(family, definitions, fargate=fargate, **(sizes | further))


def run_to_end(cloud, family, containers, launch_type, overrides=None, **further):
    """Run the checks as one task until all have ended; each container as DescribeTasks shows it,
    with what one that failed `said`."""
    last = {
        "command": ["true"],
        "essential": True,
        "dependsOn": [{"containerName": name, "condition": "COMPLETE"} for name in containers],
    }
    arn = define(cloud, family, {**containers, "last": last}, launch_type, **further)
    given = {"overrides": {"containerOverrides": overrides}} if overrides else {}
    if further.get("networkMode", "awsvpc") != "awsvpc":
        task = run_without_interface(cloud, arn, **given)
    else:
        (task,) = cloud.run(arn, launch_type, **given)
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "EssentialContainerExited", ended["stoppedReason"]
    return {each["name"]: _with_words(cloud, task, each) for each in ended["containers"]}


def _with_words(cloud, task, container):
    if container.get("exitCode") == 0:
        return container
    stream = f"test/{container['name']}/{task.rpartition('/')[2]}"
    return {**container, "said": cloud.log_lines(LOGS, stream)}


def run_without_interface(cloud, definition, **further):
    """Start one task of network mode bridge, host or none on the machine; its ARN."""
    answer = cloud.ecs.run_task(taskDefinition=definition, launchType="EC2", **further)
    assert not answer["failures"], answer["failures"]
    return answer["tasks"][0]["taskArn"]


def start_restarting(cloud, launch_type):
    """Start the task that `test_task_restarts` looks at; its ARN."""
    runs = {"mountPoints": [{"sourceVolume": "runs", "containerPath": "/runs"}]}
    policy = {"enabled": True, "restartAttemptPeriod": 60, "ignoredExitCodes": [3]}
    again = {"restartPolicy": policy, **runs}
    steady = "test -s /runs/steady && code=5 || code=1; echo run >> /runs/steady;"
    scripts = {
        "steady": steady + "test $code -eq 5 || sleep 62; exit $code",
        "early": "echo run >> /runs/early; exit 1",
        "ignored": "echo run >> /runs/ignored; sleep 62; exit 3",
    }
    containers = {name: check(script, **again) for name, script in scripts.items()}
    counts = "test $(wc -l < /runs/{}) -eq {}"
    containers["last"] = check(
        ";".join(counts.format(*run) for run in (("steady", 2), ("early", 1), ("ignored", 1))),
        essential=True,
        dependsOn=[{"containerName": name, "condition": "COMPLETE"} for name in scripts],
        **runs,
    )
    arn = define(cloud, "restarting", containers, launch_type, volumes=[{"name": "runs"}])
    return cloud.run(arn, launch_type)[0]
