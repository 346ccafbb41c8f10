"""An EKS cluster with nodes, which many tests share."""

import contextlib
import json

from end_to_end.cloud import trusting
from end_to_end.kubectl import Kubernetes
from end_to_end.shells import shell_image

from longshore.testing.wait import wait_until

GROUP = "workers"
PATIENTS = "patients"
"""A node group whose nodes fall ill (`end_to_end.patients`)."""
NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonEC2ContainerRegistryReadOnly",
)
NODES_SECONDS = 180
RUNNING_SECONDS = 120


class Farm(Kubernetes):
    """Nodes of type c5.large, in the first two subnets of the default VPC."""

    def __init__(self, cloud):
        super().__init__(cloud, "farm", "1.35")
        self.node_role = node_role(cloud, "farm-nodes")
        self.image = shell_image(cloud)
        self.subnets = cloud.default_subnets()[:2]
        self.make_group(GROUP, 2)
        self.await_group(GROUP)

    def make_group(self, name, size, **further):
        """Ask for a node group of this size."""
        asked = {
            "clusterName": self.name,
            "nodegroupName": name,
            "nodeRole": self.node_role,
            "subnets": self.subnets,
            "instanceTypes": ["c5.large"],
            "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": size},
        }
        return self.eks.create_nodegroup(**(asked | further))["nodegroup"]

    def group(self, name=GROUP):
        return self.eks.describe_nodegroup(clusterName=self.name, nodegroupName=name)["nodegroup"]

    def await_group(self, name=GROUP):
        """Wait until the node group is ACTIVE."""

        def active():
            told = self.group(name)
            assert told["status"] != "CREATE_FAILED", told["health"]
            return told["status"] == "ACTIVE"

        wait_until(active, NODES_SECONDS, f"the node group {name} is ACTIVE")

    def nodes(self, *selectors):
        """Nodes that are Ready, by name; `PATIENTS` are not meant unless they are named."""
        chosen = ",".join(selectors or [f"eks.amazonaws.com/nodegroup!={PATIENTS}"])
        found = self.read("get", "nodes", f"--selector={chosen}")["items"]
        return {node["metadata"]["name"]: node for node in found if _is(node, "Ready")}

    def apply(self, *objects):
        """`kubectl apply` of these."""
        place = self.cloud.directory / "objects.json"
        place.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        self.run("apply", "--filename", str(place))

    def pods(self, selector):
        return self.read("get", "pods", f"--selector={selector}")["items"]

    def running(self, selector, count=1):
        """The pods of this selector, once so many are ready."""

        def ready():
            found = [pod for pod in self.pods(selector) if _is(pod, "Ready")]
            return found if len(found) == count else None

        return wait_until(ready, RUNNING_SECONDS, f"{count} pods of {selector} are ready")

    def deployment(self, name, replicas=1, **spec):
        """A deployment of shells (`shells.START`); its ready pods."""
        self.apply(deployment(name, self.image, replicas, **spec))
        return self.running(f"app={name}", replicas)

    def shell(self, pod, script):
        """What a script prints in a pod."""
        return self.run("exec", pod, "--", "/bin/sh", "-c", script).stdout

    def events(self, name):
        """Messages of the events about what has this name."""
        chosen = f"--field-selector=involvedObject.name={name}"
        return [each["message"] for each in self.read("get", "events", chosen)["items"]]


def deployment(name, image, replicas=1, **spec):
    """A deployment of one container, whose pods have the label `app`."""
    container = {"name": "main", "image": image, **spec.pop("container", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [container],
                    "terminationGracePeriodSeconds": 1,
                    **spec,
                },
            },
        },
    }


def service(name, port, target, **spec):
    """A Service before the pods of `app=NAME`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": name},
            "ports": [{"port": port, "targetPort": target}],
            **spec,
        },
    }


def node_role(cloud, name):
    """A role that nodes may have; its ARN."""
    with contextlib.suppress(cloud.iam.exceptions.EntityAlreadyExistsException):
        cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting("ec2"))
    for policy in NODE_POLICIES:
        cloud.iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return cloud.iam.get_role(RoleName=name)["Role"]["Arn"]


def _is(thing, condition):
    told = {each["type"]: each["status"] for each in thing["status"].get("conditions", ())}
    return told.get(condition) == "True"
