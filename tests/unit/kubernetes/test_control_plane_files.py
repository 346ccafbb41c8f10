"""Keys, files and command lines of a cluster's control plane."""

import base64
import json
from pathlib import PurePath

import pytest
from cryptography import x509

from longshore.kubernetes import ControlPlane, commands, etcd_files, files, new_keys

NOW = 1_767_225_600.0
PLANE = ControlPlane(
    cluster="tests",
    directory="/files",
    data="/data",
    address="10.0.0.5",
    names=("tests.example",),
    addresses=("192.0.2.7",),
    service_cidr="172.20.0.0/16",
    issuer="https://oidc.example/id/tests",
)


@pytest.fixture(scope="module")
def keys():
    return new_keys("tests", NOW)


@pytest.fixture(scope="module")
def made(keys):
    return files(PLANE, keys, NOW)


def certificate(content):
    return x509.load_pem_x509_certificate(content)


def test_each_file_that_a_process_is_told_of_is_made(made, keys):
    told = [word.partition("=")[2] for line in commands(PLANE).values() for word in line]
    paths = [PurePath(word) for word in told if word.startswith(PLANE.directory)]
    assert {path.name for path in paths} <= {*made, *etcd_files(PLANE, keys, NOW)}
    assert all(path.parent == PurePath(PLANE.directory) for path in paths)


def test_server_is_known_by_its_names_its_addresses_and_the_services(made):
    found = certificate(made["server.crt"]).extensions
    known = found.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"tests.example", "kubernetes.default.svc"} <= set(
        known.get_values_for_type(x509.DNSName)
    )
    addresses = {str(each) for each in known.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "10.0.0.5", "192.0.2.7", "172.20.0.1"}


def test_kubeconfig_names_its_client_and_carries_the_clusters_authority(made, keys):
    config = json.loads(made["kube-scheduler.conf"])
    authority = config["clusters"][0]["cluster"]["certificate-authority-data"]
    assert base64.b64decode(authority) == keys.cluster.certificate
    client = certificate(base64.b64decode(config["users"][0]["user"]["client-certificate-data"]))
    assert client.subject.rfc4514_string() == "CN=system:kube-scheduler"


def test_no_certificate_of_one_authority_is_of_another(made, keys):
    issuers = {
        name: certificate(made[f"{name}.crt"]).issuer
        for name in ("server", "etcd-client", "front-proxy")
    }
    assert len(set(issuers.values())) == 3
    assert issuers["etcd-client"] == certificate(keys.etcd.certificate).subject
