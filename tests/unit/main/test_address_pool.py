import ipaddress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from longshore.main.address_pool import RANGE, choose_public_pool

HEADER = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def _route(network: str) -> str:
    parsed = ipaddress.IPv4Network(network)
    destination, mask = (
        address.packed[::-1].hex().upper() for address in (parsed.network_address, parsed.netmask)
    )
    return f"eth0\t{destination}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"


@given(st.text("abcdef/", min_size=1))
def test_pool_is_a_slash_24_of_the_range_kept_for_tests_between_networks(name):
    pool = ipaddress.IPv4Network(choose_public_pool(Path(name), Path("/does/not/exist")))
    assert pool.prefixlen == 24
    assert pool.subnet_of(RANGE)


def test_pool_that_the_machine_routes_already_is_passed_over(tmp_path):
    routes = tmp_path / "route"
    routes.write_text(HEADER)
    first = choose_public_pool(tmp_path, routes)
    routes.write_text(HEADER + _route("0.0.0.0/0") + _route(first))
    second = choose_public_pool(tmp_path, routes)
    assert not ipaddress.IPv4Network(first).overlaps(ipaddress.IPv4Network(second))
