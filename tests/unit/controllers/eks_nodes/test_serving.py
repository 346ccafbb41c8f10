"""Which requests for kubelets' serving certificates are approved."""

import base64
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st
from unit.controllers.eks_nodes.certificate_requests import certificate_request

from longshore.controllers.eks_nodes.serving import approved, node_of, objection, waiting

NODE, ADDRESS = "ip-10-0-0-1.ec2.internal", "10.0.0.1"
USER = f"system:node:{NODE}"


def pem(*alternatives, **options):
    return certificate_request(*alternatives, **{"common": USER, **options})


OWN = (x509.DNSName(NODE), x509.IPAddress(ipaddress.ip_address(ADDRESS)))


def request(content=None, **spec):
    return {
        "metadata": {"name": "csr-1"},
        "spec": {
            "signerName": "kubernetes.io/kubelet-serving",
            "username": USER,
            "groups": ["system:nodes", "system:authenticated"],
            "usages": ["digital signature", "server auth"],
            "request": base64.b64encode(content or pem(*OWN)).decode(),
            **spec,
        },
    }


def objected(asked):
    return objection(asked, [NODE], [ADDRESS])


def test_a_kubelets_request_for_its_own_name_and_address_is_approved():
    assert node_of(request()) == NODE
    assert objected(request()) == ""
    assert objected(request(usages=["key encipherment", "digital signature", "server auth"])) == ""
    condition = approved(request(), "2026-01-01T00:00:00Z")["status"]["conditions"][0]
    assert (condition["type"], condition["status"]) == ("Approved", "True")


@pytest.mark.parametrize(
    "alternative",
    [
        x509.DNSName("ip-10-0-0-2.ec2.internal"),
        x509.DNSName("kubernetes"),
        x509.DNSName(f"*.{NODE}"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.2")),
        x509.IPAddress(ipaddress.ip_address("::1")),
        x509.UniformResourceIdentifier(f"https://{NODE}"),
        x509.RFC822Name(f"root@{NODE}"),
    ],
)
def test_a_name_that_is_not_the_nodes_is_not_certified(alternative):
    asked = request(pem(*OWN, alternative))
    assert objected(asked) == "the request has names that are not the node's"


def test_a_request_without_any_name_is_not_approved():
    assert objected(request(pem())) == "the request has no names"


@pytest.mark.parametrize(
    "subject",
    [
        {"common": "system:node:ip-10-0-0-2.ec2.internal"},
        {"common": "kubernetes-admin"},
        {"organizations": ()},
        {"organizations": ("system:masters",)},
        {"organizations": ("system:nodes", "system:masters")},
        {"organizations": ("system:nodes", "system:nodes")},
    ],
)
def test_a_subject_other_than_who_asks_is_not_certified(subject):
    assert objected(request(pem(*OWN, **subject))) == "the subject is not the node that asks"


@pytest.mark.parametrize(
    "usages",
    [
        [],
        ["server auth"],
        ["digital signature", "client auth"],
        ["digital signature", "server auth", "client auth"],
        ["digital signature", "server auth", "cert sign"],
    ],
)
def test_usages_other_than_a_servers_are_not_certified(usages):
    assert objected(request(usages=usages)).startswith("the usages")


def test_what_a_kubelet_would_never_make_is_not_certified():
    edwards = pem(*OWN, key=ed25519.Ed25519PrivateKey.generate(), algorithm=None)
    assert objected(request(edwards)).startswith("the key is neither")
    content = bytearray(base64.b64decode(b"".join(pem(*OWN).split(b"\n")[1:-2])))
    content[-1] ^= 1
    broken = x509.load_der_x509_csr(bytes(content)).public_bytes(serialization.Encoding.PEM)
    assert objected(request(broken)) == "the request is not signed by its key"


@pytest.mark.parametrize(
    "who",
    [
        {"username": "ann"},
        {"username": "system:node:"},
        {"username": USER, "groups": ["system:authenticated"]},
        {"username": "system:serviceaccount:default:ann"},
    ],
)
def test_who_is_no_node_is_told_apart(who):
    assert node_of(request(**who)) == ""


@given(st.binary(max_size=200) | st.just(b"-----BEGIN CERTIFICATE REQUEST-----\n"))
def test_any_other_bytes_are_refused_in_peace(content):
    assert objected(request(content or b"-")) == "the request cannot be read"


def test_only_requests_that_nobody_has_decided_about_are_looked_at():
    asked = request()
    decided = [
        {**asked, "status": {"conditions": [{"type": kind, "status": "True"}]}}
        for kind in ("Approved", "Denied", "Failed")
    ]
    signed = {**asked, "status": {"certificate": "AAAA"}}
    other = request(signerName="kubernetes.io/kube-apiserver-client")
    empty = {**asked, "status": {}}
    assert waiting([*decided, signed, other, asked, empty]) == [asked, empty]
