"""An instance becomes a node: what bootstrap makes of user data, in a played instance."""

import base64
import json
import subprocess
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest
from integration.fabric.fabric_traffic import echo_server, reaches
from integration.node.node_instance import INSTANCE_ID, OUTSIDE, PRIMARY, REGION, ZONE, Instance

from longshore.components import locate

AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CLUSTER = {
    "name": "shop",
    "apiServerEndpoint": "https://ABCD.gr7.eu-west-1.eks.test:443",
    "certificateAuthority": base64.b64encode(AUTHORITY.encode()).decode(),
    "cidr": "10.100.0.0/16",
}
CONFIG = "etc/kubernetes/kubelet/config.json"
ARGUMENTS = "etc/kubernetes/kubelet/arguments"
RULES = ("iptables", "-t", "nat", "-S")


def node_config(**kubelet: object) -> str:
    spec = {"cluster": CLUSTER, "kubelet": kubelet}
    return json.dumps({"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": spec})


def multipart(*parts: tuple[str, str]) -> str:
    """As EKS's node groups have it; (content type, text)."""
    message = MIMEMultipart(boundary="//")
    for kind, text in parts:
        part = MIMEText(text, kind.partition("/")[2])
        part.replace_header("Content-Type", f'{kind}; charset="us-ascii"')
        message.attach(part)
    return message.as_string()


def bootstrap(instance: Instance, data: str | None, *further: str) -> str:
    """What it prints; it ends well. `further` are commands after it in the same mounts."""
    if data is not None:
        instance.metadata["user-data"] = data
    command = f"{locate('longshore-node')} bootstrap --root {instance.folder}"
    done = instance.run("sh", "-ec", "; ".join((command, *further)), private=True)
    assert done.code == 0, done.err
    return done.out


def read(instance: Instance, path: str) -> dict:
    return json.loads((instance.folder / path).read_text())


@pytest.mark.parametrize(
    "data",
    [
        None,
        "",
        "#!/bin/sh\necho apiVersion: node.eks.aws/v1alpha1\n",
        multipart(("text/x-shellscript", "#!/bin/sh\necho hello\n")),
        "#cloud-config\npackages: [nginx]\n",
    ],
    ids=["none", "empty", "script", "multipart of scripts", "cloud-config"],
)
def test_instance_without_a_node_config_is_left_as_it_is(instance, data):
    assert "no NodeConfig" in bootstrap(instance, data)
    assert list(instance.folder.iterdir()) == []


def test_node_config_alone_configures_the_kubelet(instance):
    yaml = (
        "---\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n"
        + "".join(f"    {name}: {value}\n" for name, value in CLUSTER.items())
    )
    bootstrap(instance, yaml)
    config = read(instance, CONFIG)
    assert config["clusterDNS"] == ["10.100.0.10"]
    assert config["providerID"] == f"aws:///{ZONE}/{INSTANCE_ID}"
    assert config["cgroupDriver"] == "cgroupfs"
    assert config["serverTLSBootstrap"] is True
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["maxPods"] == 17  # a t3.medium's
    assert config["kubeReserved"]["memory"] == f"{255 + 11 * 17}Mi"
    authority = config["authentication"]["x509"]["clientCAFile"]
    assert (instance.folder / authority.lstrip("/")).read_text() == AUTHORITY


def test_node_has_the_name_and_the_labels_of_its_instance(instance):
    bootstrap(instance, node_config())
    arguments = (instance.folder / ARGUMENTS).read_text().splitlines()
    assert "--hostname-override=ip-10-0-1-10.eu-west-1.compute.internal" in arguments
    assert f"--node-ip={PRIMARY}" in arguments
    labels = next(each for each in arguments if each.startswith("--node-labels="))
    assert set(labels.partition("=")[2].split(",")) == {
        "node.kubernetes.io/instance-type=t3.medium",
        f"topology.kubernetes.io/region={REGION}",
        f"topology.kubernetes.io/zone={ZONE}",
        "topology.k8s.aws/zone-id=euw1-az1",
    }


def test_node_configs_of_several_parts_add_up(instance):
    users = node_config(
        config={"maxPods": 8, "evictionHard": {"memory.available": "200Mi"}},
        flags=["--node-labels=team=a"],
    )
    own = node_config(config={"maxPods": 29}, flags=["--node-labels=group=b", "--v=3"])
    kind = "application/node.eks.aws"
    script = ("text/x-shellscript", "#!/bin/sh\nexit 1\n")
    bootstrap(instance, multipart((kind, users), script, (kind, own)))
    config = read(instance, CONFIG)
    assert config["maxPods"] == 29
    assert config["evictionHard"]["memory.available"] == "200Mi"
    assert config["evictionHard"]["nodefs.inodesFree"] == "5%"
    arguments = (instance.folder / ARGUMENTS).read_text().splitlines()
    assert arguments[-3:] == ["--node-labels=team=a", "--node-labels=group=b", "--v=3"]
    assert [each["Action"] for each in instance.calls if "Describe" in each["Action"]] == []


def test_kubelet_shows_the_instances_token_and_asks_for_the_registrys_login(instance):
    bootstrap(instance, node_config())
    kubeconfig = read(instance, "var/lib/kubelet/kubeconfig")
    assert kubeconfig["clusters"][0]["cluster"]["server"] == CLUSTER["apiServerEndpoint"]
    plugin = kubeconfig["users"][0]["user"]["exec"]
    done = instance.run(plugin["command"], *plugin["args"])
    assert json.loads(done.out)["apiVersion"] == plugin["apiVersion"]
    provider = read(instance, "etc/eks/image-credential-provider/config.json")["providers"][0]
    assert "*.dkr.ecr.*.registry.test:4567" in provider["matchImages"]
    arguments = (instance.folder / ARGUMENTS).read_text()
    binaries = arguments.partition("--image-credential-provider-bin-dir=")[2].splitlines()[0]
    assert (Path(binaries) / provider["name"]).exists()


def test_image_may_say_where_the_registries_are(instance):
    place = instance.folder / "etc/longshore/registry"
    place.parent.mkdir(parents=True)
    place.write_text("elsewhere.test:5000\n")
    bootstrap(instance, node_config())
    provider = read(instance, "etc/eks/image-credential-provider/config.json")["providers"][0]
    assert "*.dkr.ecr.*.elsewhere.test:5000" in provider["matchImages"]


def test_pods_speak_to_the_vpc_as_themselves_and_to_others_as_their_node(instance, pod):
    bootstrap(instance, node_config())
    one = pod()
    own = one.add()
    for address, seen in ((OUTSIDE, PRIMARY), ("10.0.1.1", own)):
        with echo_server(instance.router, address, 80) as peers:
            assert reaches(one.namespace, address, 80)
        assert peers == [seen]


def test_first_pods_addresses_are_there_before_the_pods(instance):
    bootstrap(instance, node_config())
    assert len(instance.addresses) == 9
    bootstrap(instance, node_config())
    assert len(instance.addresses) == 9


def test_node_that_may_not_have_addresses_yet_is_configured_all_the_same(instance):
    instance.refusal = ("UnauthorizedOperation", "You are not authorized")
    bootstrap(instance, node_config(config={"maxPods": 5}))
    assert read(instance, CONFIG)["maxPods"] == 5


def test_second_boot_configures_anew_and_doubles_nothing(instance):
    bootstrap(instance, node_config(flags=["--v=1"]))
    rules = instance.run(*RULES).out
    bootstrap(instance, node_config(flags=["--v=2"]))
    assert instance.run(*RULES).out == rules
    assert "--v=1" not in (instance.folder / ARGUMENTS).read_text()


def test_kubelet_finds_the_kernels_settings_as_it_wants_them_and_the_machine_keeps_its_own(
    instance,
):
    before = Path("/proc/sys/kernel/panic_on_oops").read_text()
    told = bootstrap(
        instance,
        node_config(),
        "cat /proc/sys/kernel/panic_on_oops",
        "echo 1 >/proc/sys/kernel/panic_on_oops",
    )
    assert told.splitlines()[-1] == "1"
    assert Path("/proc/sys/kernel/panic_on_oops").read_text() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "Name is missing in cluster configuration"),
        ({"apiServerEndpoint": ""}, "Apiserver endpoint is missing in cluster configuration"),
        ({"certificateAuthority": ""}, "Certificate authority is missing"),
        ({"certificateAuthority": "bm8="}, "no certificate in PEM"),
        ({"cidr": ""}, "CIDR is missing in cluster configuration"),
        ({"cidr": "10.100.0.0"}, "the cluster's CIDR"),
    ],
)
def test_node_config_that_lacks_something_is_refused_and_no_kubelet_starts(instance, change, told):
    stale = instance.folder / ARGUMENTS
    stale.parent.mkdir(parents=True)
    stale.write_text("--of-an-earlier-boot\n")
    document = json.loads(node_config(config={"maxPods": 4}))
    document["spec"]["cluster"] |= change
    instance.metadata["user-data"] = json.dumps(document)
    done = instance.node("bootstrap", "--root", str(instance.folder), private=True)
    assert done.code == 1
    assert told in done.err
    assert not stale.exists()


def test_kubelet_starts_with_the_arguments_that_bootstrap_left(tmp_path):
    (tmp_path / "run/containerd").mkdir(parents=True)
    (tmp_path / "run/containerd/containerd.sock").touch()
    arguments = tmp_path / ARGUMENTS
    program = tmp_path / "kube"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    program.chmod(0o755)
    command = [locate("longshore-node"), "kubelet", f"--root={tmp_path}", f"--program={program}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kubelet:
        arguments.parent.mkdir(parents=True)
        draft = arguments.with_name("draft")
        draft.write_text("--config=/a b\n--node-labels=x=y,z=\n")
        draft.rename(arguments)
        out, _ = kubelet.communicate(timeout=10)
    assert out == "kubelet|--config=/a b|--node-labels=x=y,z=|"
