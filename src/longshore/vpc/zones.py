"""Availability Zones: three logical ones a region ("Regions and Zones", EC2 User Guide)."""

LETTERS = "abc"
_DIRECTIONS = {
    "east": "e",
    "west": "w",
    "north": "n",
    "south": "s",
    "central": "c",
    "northeast": "ne",
    "northwest": "nw",
    "southeast": "se",
    "southwest": "sw",
    "gov": "g",
    "iso": "i",
}


def zone_names(region: str) -> list[str]:
    """`us-east-1a`, `us-east-1b`, `us-east-1c`."""
    return [region + letter for letter in LETTERS]


def zone_id(zone: str) -> str:
    """The AZ id of an AZ name: `use1-az1` of `us-east-1a`."""
    area, *directions, number = zone[:-1].split("-")
    short = "".join(_DIRECTIONS.get(word, word[:1]) for word in directions)
    return f"{area}{short}{number}-az{LETTERS.index(zone[-1]) + 1}"


def private_domain(region: str) -> str:
    """The domain of private DNS names ("EC2 instance hostnames", EC2 User Guide)."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def private_dns_name(address: str, region: str) -> str:
    return f"ip-{address.replace('.', '-')}.{private_domain(region)}"


def public_dns_name(address: str, region: str) -> str:
    host = "ec2-" + address.replace(".", "-")
    domain = "compute-1" if region == "us-east-1" else f"{region}.compute"
    return f"{host}.{domain}.amazonaws.com"
