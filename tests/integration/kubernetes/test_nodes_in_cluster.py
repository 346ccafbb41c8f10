"""Kubelets' serving certificates and the end of nodes, in a real cluster."""

import base64
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from integration.kubernetes.cloud_beside import Cloud
from unit.controllers.eks_nodes.certificate_requests import KEY, request_pem

from longshore.base.certificates import Subject, issue
from longshore.base.clock import SystemClock
from longshore.controllers.eks_nodes import EksNodes
from longshore.controllers.eks_nodes.controller import REQUESTS, SOON_SECONDS
from longshore.controllers.eks_nodes.leaving import ATTACHMENTS, LONGEST_SECONDS, NODES
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance, InstanceStatus
from longshore.testing.wait import wait_until

NODE, ADDRESS, INSTANCE_ID = "ip-10-0-0-1.ec2.internal", "10.0.0.1", "i-0123456789abcdef0"
SIGNER = "kubernetes.io/kubelet-serving"


class Nodes(Cloud):
    """Instances, and what kubelets on them ask for."""

    def instance(self, instance_id=INSTANCE_ID, address=ADDRESS, vpc="vpc-1"):
        instance = Instance(
            id=instance_id,
            reservation_id="r-1",
            image_id="ami-1",
            instance_type="t3.medium",
            vcpus=2,
            memory=4096,
            vpc_id=vpc,
            subnet_id="subnet-1",
            zone="us-east-1a",
            interface_id="eni-1",
            private_address=address,
            launched_at=self.clock.now(),
        )
        self.put(INSTANCE, instance_id, instance)

    def end(self, instance_id=INSTANCE_ID, state="terminated"):
        self.put(INSTANCE_STATUS, instance_id, InstanceStatus(state=state))

    def look(self):
        return self.reconcile(EksNodes)

    def node(self, name, provider_id):
        document = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name},
            "spec": {"providerID": provider_id},
        }
        self.apply(document)

    def pod(self, name, node):
        """One that is the node's already."""
        spec = {
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "x"}],
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
        }
        metadata = {"name": name, "namespace": "default"}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def attach(self, name, node):
        """A volume of a driver that there is not."""
        spec = {
            "attacher": "example.com",
            "nodeName": node,
            "source": {"persistentVolumeName": name},
        }
        document = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "spec": spec}
        self.apply({**document, "metadata": {"name": name}})

    def taints(self, node):
        spec = self.plane.kubectl("get", "node", node)["spec"]
        ours = [each["key"] for each in spec.get("taints", ())]
        return [each for each in ours if each.endswith("out-of-service")]

    def pods(self):
        found = self.plane.kubectl("get", "pods")["items"]
        return sorted(each["metadata"]["name"] for each in found)

    def ask(self, name, node=NODE, names=(NODE,), addresses=(ADDRESS,)):
        """As the kubelet of the node asks."""
        content = request_pem(node, names, addresses)
        document = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": {
                "request": base64.b64encode(content).decode(),
                "signerName": SIGNER,
                "usages": ["digital signature", "server auth"],
            },
        }
        subject = Subject(
            common_name=f"system:node:{node}", organizations=("system:nodes",), client=True
        )
        client = issue(self.plane.keys.cluster, subject, SystemClock().now())
        self.apply(document, self.plane.config("kubelet", client))

    def apply(self, document, config=None):
        path = self.plane._directory / "object.json"
        path.write_text(json.dumps(document))
        self.plane.run("create", f"--filename={path}", config=config)

    def certificate(self, name):
        status = self.plane.kubectl("get", "csr", name)["status"]
        return base64.b64decode(status.get("certificate", ""))

    def conditions(self, name):
        status = self.plane.kubectl("get", "csr", name)["status"]
        return [each["type"] for each in status.get("conditions", ())]

    def names(self):
        nodes = self.plane.kubectl("get", "nodes")["items"]
        return sorted(each["metadata"]["name"] for each in nodes)


@pytest.fixture
def nodes(shared_plane, tmp_path):
    found = Nodes(shared_plane, tmp_path)
    yield found
    found.plane.run("delete", "pods", "--all", "--force")
    found.delete_paths([NODES, REQUESTS, ATTACHMENTS])
    found.close()


def test_a_kubelet_has_a_certificate_of_the_clusters_authority_for_its_own_names(nodes):
    nodes.instance()
    nodes.ask("own")
    nodes.look()
    wait_until(lambda: nodes.certificate("own"), 30, "the certificate is signed")
    found = x509.load_pem_x509_certificate(nodes.certificate("own"))
    authority = x509.load_pem_x509_certificate(nodes.plane.keys.cluster.certificate)
    found.verify_directly_issued_by(authority)
    assert found.public_key() == KEY.public_key()
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == [NODE]
    assert load_pem_private_key(nodes.plane.keys.cluster.key, None) is not None


def test_a_kubelet_has_none_for_what_is_not_its_own(nodes):
    nodes.instance()
    nodes.instance("i-0123456789abcdef1", "10.0.0.2")
    nodes.instance("i-0123456789abcdef2", "10.0.0.3", vpc="vpc-2")
    nodes.ask("another", names=(NODE, "ip-10-0-0-2.ec2.internal"))
    nodes.ask("address", addresses=("10.0.0.2",))
    nodes.ask("stranger", node="ip-10-0-0-3.ec2.internal", names=("ip-10-0-0-3.ec2.internal",))
    nodes.ask("nobody", node="ip-10-0-0-9.ec2.internal", names=("ip-10-0-0-9.ec2.internal",))
    nodes.look()
    for name in ("another", "address", "stranger", "nobody"):
        assert nodes.conditions(name) == []


def test_a_kubelet_of_an_instance_that_is_terminated_has_none(nodes):
    nodes.instance()
    nodes.end()
    nodes.ask("late")
    nodes.look()
    assert nodes.conditions("late") == []


def test_a_node_goes_with_its_instance_and_others_stay(nodes):
    nodes.instance()
    nodes.instance("i-0123456789abcdef1", "10.0.0.2")
    zone = "aws:///us-east-1a"
    nodes.node("runs", f"{zone}/{INSTANCE_ID}")
    nodes.node("ends", f"{zone}/i-0123456789abcdef1")
    nodes.node("forgotten", f"{zone}/i-0123456789abcdef9")
    nodes.node("elsewhere", "aws:///eu-west-1a/i-0123456789abcdef9")
    nodes.node("stranger", "kind://a/b")
    nodes.end("i-0123456789abcdef1", "shutting-down")
    nodes.look()
    assert nodes.names() == ["elsewhere", "ends", "runs", "stranger"]
    nodes.end("i-0123456789abcdef1")
    nodes.look()
    assert nodes.names() == ["elsewhere", "runs", "stranger"]


def test_pods_of_a_node_whose_instance_is_gone_go_with_it_and_others_stay(nodes):
    zone = "aws:///us-east-1a"
    nodes.instance()
    nodes.node("runs", f"{zone}/{INSTANCE_ID}")
    nodes.node("forgotten", f"{zone}/i-0123456789abcdef9")
    for node in ("runs", "forgotten"):
        nodes.pod(f"on-{node}", node)
    nodes.look()
    assert nodes.pods() == ["on-runs"]


def test_a_node_with_volumes_is_out_of_service_until_they_have_left_it(nodes):
    nodes.node("forgotten", "aws:///us-east-1a/i-0123456789abcdef9")
    nodes.pod("database", "forgotten")
    nodes.attach("volume", "forgotten")
    assert nodes.look() == SOON_SECONDS
    assert nodes.names() == ["forgotten"]
    assert nodes.pods() == []
    assert nodes.taints("forgotten") == ["node.kubernetes.io/out-of-service"]
    nodes.look()
    assert nodes.taints("forgotten") == ["node.kubernetes.io/out-of-service"]
    nodes.plane.run("delete", "volumeattachment", "volume")
    nodes.look()
    assert nodes.names() == []


def test_a_node_whose_volumes_nobody_takes_away_goes_all_the_same(nodes):
    nodes.node("forgotten", "aws:///us-east-1a/i-0123456789abcdef9")
    nodes.attach("stuck", "forgotten")
    nodes.look()
    nodes.clock.advance(LONGEST_SECONDS + 1)
    nodes.look()
    assert nodes.names() == []


def test_a_cluster_without_instances_and_nodes_is_not_looked_at_again(nodes):
    assert nodes.look() is None
    nodes.instance()
    soon = nodes.look()
    nodes.clock.advance(3600)
    later = nodes.look()
    assert 0 < soon < later
