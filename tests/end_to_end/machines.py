"""EC2 instances that run the scripts which they are sent."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from end_to_end.shells import RUN, fetch, machine_reads

from longshore.testing.wait import wait_until

PORT = 80
READY_SECONDS = 60
ANSWER_SECONDS = 2
SERVE = f"""#!/bin/sh
echo ran >>/root/ran
mkdir -p /www/cgi-bin
echo hello >/www/index.html
cat >/www/cgi-bin/run <<'END'
{RUN.decode()}
END
chmod +x /www/cgi-bin/run
echo '::respawn:/usr/sbin/httpd -f -p {PORT} -h /www' >>/etc/inittab
kill -HUP 1
"""
"""User data of the first boot; init keeps the server running in every later one."""


class Machine:
    """One instance, in the default VPC, with a group that lets the machine reach it."""

    def __init__(self, cloud, **further):
        self.ec2 = cloud.ec2
        self.cloud = cloud
        image = base_image(cloud)
        answer = self.ec2.run_instances(
            **{
                "ImageId": image,
                "InstanceType": "t3.micro",
                "MinCount": 1,
                "MaxCount": 1,
                "UserData": SERVE,
                "SecurityGroupIds": [cloud.security_group("machines", PORT)],
                **further,
            }
        )
        self.launched = answer["Instances"][0]
        self.id = self.launched["InstanceId"]

    def describe(self):
        found = self.ec2.describe_instances(InstanceIds=[self.id])["Reservations"]
        return found[0]["Instances"][0]

    @property
    def state(self):
        return self.describe()["State"]["Name"]

    def await_state(self, state):
        wait_until(lambda: self.state == state, READY_SECONDS, f"{self.id} is {state}")
        return self

    def await_answer(self):
        def answers():
            address = self.describe().get("PublicIpAddress")
            return address and machine_reads(address, PORT, ANSWER_SECONDS)

        wait_until(answers, READY_SECONDS, f"{self.id} answers")
        return self

    def run(self, script):
        """What a shell script prints in the instance."""
        address = self.describe()["PublicIpAddress"]
        return fetch(f"http://{address}:{PORT}/cgi-bin/run", script)

    def kill(self):
        """Kill its init: the instance dies as a machine without power does."""
        os.kill(first_process(self.id), signal.SIGKILL)


def base_image(cloud):
    """The id of the machine image that has nothing added to it."""
    found = cloud.ec2.describe_images(Filters=[{"Name": "name", "Values": ["al2023-ami-*"]}])
    return found["Images"][0]["ImageId"]


def instance_of(node):
    """The id of the instance that a node of Kubernetes is."""
    return node["spec"]["providerID"].rpartition("/")[2]


def first_process(instance_id):
    """The pid of an instance's init; None where there is none."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            names = (directory / "comm").read_text().strip()
            mounts = (directory / "mountinfo").read_text()
        except OSError:
            continue
        if names == "init" and f"/instances/{instance_id}/" in mounts:
            return int(directory.name)
    return None


def child(parent, name):
    """A child of this process that runs a program of this name."""
    with contextlib.suppress(subprocess.CalledProcessError):
        told = subprocess.run(
            ["pgrep", "--parent", str(parent), "--exact", name],
            check=True,
            capture_output=True,
            text=True,
        )
        return int(told.stdout.split()[0])
    return None
