"""Tasks whose shell answers over HTTP: a test looks at the network from inside of them."""

import http.client
import json
import shlex
import subprocess
import urllib.error
import urllib.request

from longshore.testing.images import busybox_files
from longshore.testing.wait import wait_until

APPLETS = ("sh", "cat", "head", "httpd", "ip", "nc", "nslookup", "sleep", "timeout", "wget")
RUN = b"""#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
head -c "$CONTENT_LENGTH" > /tmp/script-$$
exec sh /tmp/script-$$ 2>&1
"""
START = b"""#!/bin/sh
httpd -p 8080 -h /www
nc -ll -p 9000 -e cat &
trap exit TERM
httpd -f -p 80 -h /www &
wait
"""
PAGE = b"hello\n"
CONTROL_PORT, PAGE_PORT, ECHO_PORT = 80, 8080, 9000
ANSWER_SECONDS = 5


class Shell:
    """One running task; `through` is a shell that reaches it where the machine does not."""

    def __init__(self, task, interface, through=None):
        self.task = task
        self.arn = task["taskArn"]
        self.interface = interface
        self.private_address = interface["PrivateIpAddress"]
        self.public_address = interface.get("Association", {}).get("PublicIp")
        self.through = through

    def run(self, script):
        """What the script prints inside of the task (both of its outputs)."""
        if self.through is None:
            return fetch(f"http://{self.public_address}/cgi-bin/run", script)
        return self.through.run(
            f"wget -q -O - --post-data={shlex.quote(script)} "
            f"http://{self.private_address}/cgi-bin/run"
        )

    def reads(self, address, port=PAGE_PORT):
        """Whether the page at this address answers to this task."""
        return "hello" in self.run(f"timeout 1 wget -q -O - http://{address}:{port}/")


def fetch(url, data="", seconds=ANSWER_SECONDS):
    """The body of an answer to POST; to GET where there is no data."""
    with urllib.request.urlopen(url, data.encode() or None, timeout=seconds) as answer:
        return answer.read().decode()


def machine_reads(address, port=PAGE_PORT, seconds=0.3):
    """Whether the page at this address answers to the machine."""
    try:
        return fetch(f"http://{address}:{port}/", seconds=seconds) == PAGE.decode()
    except (OSError, http.client.HTTPException):
        # Also one that ends in the middle of its answer.
        return False


def shell_image(cloud):
    files = {
        **busybox_files(*APPLETS),
        "www/index.html": PAGE,
        "www/cgi-bin/run": RUN,
        "start": START,
    }
    return cloud.image("shell", files, {"Cmd": ["/start"]})


def start_shells(cloud, places, family="shell"):
    """Shells by name; each place gives `subnet`, `groups`, `launch_type`; `public` or `through`."""
    definitions = {
        launch: cloud.definition(
            f"{family}-{launch.lower()}",
            [{"name": "shell", "image": shell_image(cloud), "memory": 128}],
            fargate=launch == "FARGATE",
        )
        for launch in {place["launch_type"] for place in places.values()}
    }
    arns = {
        name: cloud.run(
            definitions[place["launch_type"]],
            place["launch_type"],
            networkConfiguration={"awsvpcConfiguration": _network(place)},
        )[0]
        for name, place in places.items()
    }
    shells = {}
    for name, place in places.items():
        task = cloud.await_status(arns[name], "RUNNING")
        shells[name] = Shell(task, cloud.interface(task), shells.get(place.get("through")))
    for shell in shells.values():
        wait_until(lambda shell=shell: _answers(shell), 20, f"{shell.arn} answers")
    return shells


def _network(place):
    return {
        "subnets": [place["subnet"]],
        "securityGroups": place["groups"],
        "assignPublicIp": "ENABLED" if place.get("public") else "DISABLED",
    }


def _answers(shell):
    try:
        return "ready" in shell.run("echo ready")
    except OSError:
        return False


def machine_address():
    """The machine's own address, as tasks reach it."""
    told = subprocess.run(
        ["ip", "-4", "-json", "route", "get", "198.51.100.1"], check=True, capture_output=True
    ).stdout
    return json.loads(told)[0]["prefsrc"]
