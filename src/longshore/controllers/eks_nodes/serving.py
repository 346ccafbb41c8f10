"""Which requests for kubelets' serving certificates are approved; pure.

("Certificate Signing Requests", Kubernetes' documentation, `kubernetes.io/kubelet-serving`: who
approves must know that the addresses and names are the node's own.)
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

SIGNER = "kubernetes.io/kubelet-serving"
NODES = "system:nodes"
NODE_PREFIX = "system:node:"
NEEDED = frozenset({"digital signature", "server auth"})
USAGES = NEEDED | {"key encipherment"}
Object = Mapping[str, Any]


def waiting(requests: Iterable[Object]) -> list[Object]:
    """Requests for serving certificates that nobody has decided about."""
    return [
        each
        for each in requests
        if each["spec"].get("signerName") == SIGNER and not _is_decided(each.get("status") or {})
    ]


def _is_decided(status: Object) -> bool:
    return bool(status.get("conditions") or status.get("certificate"))


def node_of(request: Object) -> str:
    """The name of the node that asks; empty where it is no node."""
    spec = request["spec"]
    username = str(spec.get("username", ""))
    if NODES not in (spec.get("groups") or ()) or not username.startswith(NODE_PREFIX):
        return ""
    return username.removeprefix(NODE_PREFIX)


def objection(request: Object, names: Iterable[str], addresses: Iterable[str]) -> str:
    """Why the request is not approved; empty where it is.

    `names` and `addresses` are all that the node asking has of its own.
    """
    usages = set(request["spec"].get("usages") or ())
    if not usages >= NEEDED or not usages <= USAGES:
        return "the usages are not those of a kubelet's server"
    try:
        asked = x509.load_pem_x509_csr(base64.b64decode(request["spec"]["request"]))
        if not asked.is_signature_valid:
            return "the request is not signed by its key"
        return _subject(asked, node_of(request)) or _alternatives(asked, names, addresses)
    except (KeyError, ValueError, binascii.Error, x509.DuplicateExtension):
        return "the request cannot be read"


def _subject(asked: x509.CertificateSigningRequest, node: str) -> str:
    wanted = {
        (NameOID.ORGANIZATION_NAME, NODES),
        (NameOID.COMMON_NAME, f"{NODE_PREFIX}{node}"),
    }
    found = [(attribute.oid, attribute.value) for attribute in asked.subject]
    if not node or len(found) != len(wanted) or set(found) != wanted:
        return "the subject is not the node that asks"
    if not isinstance(asked.public_key(), ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return "the key is neither of ECDSA nor of RSA"
    return ""


def _alternatives(
    asked: x509.CertificateSigningRequest, names: Iterable[str], addresses: Iterable[str]
) -> str:
    extensions = {extension.oid: extension for extension in asked.extensions}
    found = extensions.get(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    if found is None:
        return "the request has no names"
    own = {*names, *addresses}
    for name in found.value:
        if not isinstance(name, x509.DNSName | x509.IPAddress) or str(name.value) not in own:
            return "the request has names that are not the node's"
    return ""


def approved(request: Object, now: str) -> dict[str, Any]:
    """The request as it is put to `approval`; `now` as Kubernetes writes times."""
    condition = {
        "type": "Approved",
        "status": "True",
        "reason": "EKSApproved",
        "message": "The names and addresses are those of the node's instance.",
        "lastUpdateTime": now,
    }
    return {**request, "status": {**(request.get("status") or {}), "conditions": [condition]}}
