"""Where a cluster's API server is, for Longshore's own loops, and as whom they speak to it."""

import os
import ssl

import msgspec


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What a client of one API server needs; certificates and keys are PEM.

    `url` names the server as its certificate does. `address` is where it listens for the machine
    itself; where it is empty, the URL's host is looked up.
    """

    url: str
    authority_pem: bytes
    client_cert_pem: bytes
    client_key_pem: bytes
    address: str = ""
    source: str = ""
    """The address of this machine's to speak from; empty for any."""


def tls_context(access: Access) -> ssl.SSLContext:
    """Trusts the cluster's authority alone, and shows the client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=access.authority_pem.decode())
    # Python takes a certificate of one's own from a file alone; this one is in memory.
    handle = os.memfd_create("client", os.MFD_CLOEXEC)
    with open(handle, "wb") as file:
        file.write(access.client_key_pem + b"\n" + access.client_cert_pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    return context
