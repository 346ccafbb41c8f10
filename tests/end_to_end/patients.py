"""Nodes that fall ill, each in a way of its own, in a node group that EKS is to repair."""

import os
import signal
import subprocess

from end_to_end.farm import PATIENTS as GROUP
from end_to_end.farm import deployment
from end_to_end.machines import child, first_process, instance_of

from longshore.testing.wait import wait_until

OF_GROUP = f"eks.amazonaws.com/nodegroup={GROUP}"
NODES_SECONDS = 120
REPAIRED_SECONDS = 300
TAINT = {"key": "patients", "value": "only", "effect": "NO_SCHEDULE"}
TOLERATION = {"key": "patients", "operator": "Exists"}
SOON = {
    "nodeMonitoringCondition": "Ready",
    "nodeUnhealthyReason": "NodeStatusUnknown",
    "minRepairWaitTimeMins": 1,
    "repairAction": "Replace",
}
"""AWS waits for half an hour where nobody says otherwise."""
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"app": GROUP}},
}


class Patients:
    """A node group of two, with a pod on each node, whom it happens to both at once.

    `ill` are the names of the nodes, by what has happened to each: `frozen` (its kubelet), `cut`
    (its network). The nodes have one vCPU, so that they find room beside the others.
    """

    def __init__(self, farm):
        self.farm = farm
        farm.make_group(
            GROUP,
            2,
            instanceTypes=["t2.small"],
            taints=[TAINT],
            nodeRepairConfig={"enabled": True, "nodeRepairConfigOverrides": [SOON]},
        )
        farm.await_group(GROUP)
        self.scaling = farm.cloud.longshore.client("autoscaling")
        self.group = farm.group(GROUP)["resources"]["autoScalingGroups"][0]["name"]
        nodes = farm.nodes(OF_GROUP)
        assert len(nodes) == 2
        placed = {
            "nodeSelector": {"eks.amazonaws.com/nodegroup": GROUP},
            "tolerations": [TOLERATION],
            "topologySpreadConstraints": [SPREAD],
        }
        farm.apply(deployment(GROUP, farm.image, 2, **placed))
        farm.running(f"app={GROUP}", 2)
        self.ill = dict(zip(("frozen", "cut"), nodes, strict=True))
        self.instances = {kind: instance_of(nodes[name]) for kind, name in self.ill.items()}
        self._break()

    def _break(self):
        init = {kind: first_process(each) for kind, each in self.instances.items()}
        os.kill(child(init["frozen"], "kube"), signal.SIGSTOP)
        down = ["ip", "link", "set", "dev", "eth0", "down"]
        subprocess.run(["nsenter", f"--net=/proc/{init['cut']}/ns/net", *down], check=True)

    def await_replaced(self, kind):
        """Wait until another machine serves in the place of this one."""
        instance = self.instances[kind]
        wait_until(
            lambda: instance not in self.members(),
            REPAIRED_SECONDS,
            f"the {kind} machine is in its group no more",
        )
        assert first_process(instance) is None
        wait_until(
            lambda: self.ill[kind] not in self.names(), NODES_SECONDS, f"the {kind} node is gone"
        )

    def protect_all_but_one_with_a_pod(self):
        """Which member goes next is so known: both pods may be on one node."""
        (pod, _) = self.farm.running(f"app={GROUP}", 2)
        node = self.farm.read("get", "node", pod["spec"]["nodeName"])
        self.scaling.set_instance_protection(
            AutoScalingGroupName=self.group,
            InstanceIds=[member for member in self.members() if member != instance_of(node)],
            ProtectedFromScaleIn=True,
        )

    def names(self):
        """Nodes of the group, ready or not."""
        found = self.farm.read("get", "nodes", f"--selector={OF_GROUP}")["items"]
        return {each["metadata"]["name"] for each in found}

    def members(self):
        """State of each member of the Auto Scaling group, by the id of its instance."""
        found = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        instances = found["AutoScalingGroups"][0]["Instances"]
        return {each["InstanceId"]: each["LifecycleState"] for each in instances}

    def causes(self):
        """Why members of the group were ended."""
        told = self.scaling.describe_scaling_activities(AutoScalingGroupName=self.group)
        return {
            each["Description"].rpartition(" ")[2]: each["Cause"]
            for each in told["Activities"]
            if each["Description"].startswith("Terminating")
        }
