"""What of a cluster the objects of an add-on depend on."""

import ipaddress

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`image` is the reference of the image that the add-on's pods are of; `role_arn` the role of
    its service account, where it has one."""

    image: str
    endpoint: str
    """URL of the API server."""
    service_cidr: str
    role_arn: str = ""
    cluster: str = ""
    """The cluster's name."""

    @property
    def dns_address(self) -> str:
        """Of the Service `kube-dns`: the tenth of the range."""
        return str(ipaddress.ip_network(self.service_cidr)[10])
