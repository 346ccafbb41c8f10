"""kube-proxy from its image, with the configuration of the add-on, beside a real API server."""

import json
import subprocess

import pytest
from integration.kubernetes.cloud_beside import Cloud
from integration.kubernetes.image_root import give_credentials, running, unpack

from longshore.addons import ADDONS, Settings
from longshore.addons.objects import path_of
from longshore.testing.wait import wait_until

NODE = "ip-10-123-0-2.ec2.internal"
ADDRESS = "10.123.0.2"


@pytest.fixture(scope="module")
def image(shared_plane, tmp_path_factory):
    """The image's file system, with what a pod of it finds mounted."""
    root = tmp_path_factory.mktemp("kube-proxy")
    unpack("kube-proxy", shared_plane.minor, root)
    return root


@pytest.fixture
def proxy(shared_plane, tmp_path, image):
    cloud = Cloud(shared_plane, tmp_path)
    settings = Settings(
        image="x", endpoint=shared_plane.access.url, service_cidr=shared_plane.plane.service_cidr
    )
    objects = ADDONS["kube-proxy"].objects(settings, {})
    for each in objects:
        shared_plane.run("apply", "--filename=-", stdin=json.dumps(each))
    shared_plane.run("create", "--filename=-", stdin=json.dumps(node()))
    status = f"--patch={json.dumps({'status': node()['status']})}"
    shared_plane.run("patch", "node", NODE, "--subresource=status", status)
    (pod,) = (each["spec"]["template"]["spec"] for each in objects if each["kind"] == "DaemonSet")
    mount(pod, {each["metadata"]["name"]: each for each in objects if "data" in each}, image)
    give_credentials(shared_plane, image, "kube-proxy")
    command = [word.replace("$(NODE_NAME)", NODE) for word in pod["containers"][0]["command"]]
    with running(shared_plane, image, command, tmp_path / "log") as process:
        yield process
    cloud.delete_paths([*map(path_of, objects), f"/api/v1/nodes/{NODE}"])
    cloud.close()


def node():
    addresses = [{"type": "InternalIP", "address": ADDRESS}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE},
        "status": {"addresses": addresses},
    }


def mount(pod, config_maps, root):
    """Put the pod's ConfigMaps where its container has them."""
    volumes = {each["name"]: each for each in pod["volumes"] if "configMap" in each}
    for place in pod["containers"][0]["volumeMounts"]:
        if place["name"] in volumes:
            folder = root / place["mountPath"].lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in config_maps[volumes[place["name"]]["configMap"]["name"]][
                "data"
            ].items():
                (folder / name).write_text(text)


def test_the_address_of_a_service_leads_to_its_endpoints(shared_plane, proxy, image):
    def rules():
        assert proxy.poll() is None, proxy.log.read_text()
        program = ["chroot", str(image), "/usr/sbin/iptables-save", "-t", "nat"]
        told = subprocess.run(
            shared_plane.in_namespace(*program), capture_output=True, text=True, check=True
        )
        return told.stdout

    def leads():
        found = rules()
        address = f"-d {shared_plane.plane.service_address}/32 -p tcp"
        return address in found and f"--to-destination {ADDRESS}:443" in found

    wait_until(leads, 60, "the Service kubernetes leads to the API server")
    assert "default/kubernetes:https cluster IP" in rules()
