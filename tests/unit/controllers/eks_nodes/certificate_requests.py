"""Requests for certificates, as kubelets make them."""

import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KEY = ec.generate_private_key(ec.SECP256R1())
SHA256 = hashes.SHA256()


def request_pem(node, names, addresses):
    """A request of the node for these names and addresses."""
    found = [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
    return certificate_request(
        *[x509.DNSName(each) for each in names], *found, common=f"system:node:{node}"
    )


def certificate_request(
    *alternatives, common, organizations=("system:nodes",), key=KEY, algorithm=SHA256
):
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    subject = x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if alternatives:
        found = x509.SubjectAlternativeName(list(alternatives))
        builder = builder.add_extension(found, critical=False)
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)
