"""The programs of add-ons, as they are built here, beside a real API server."""

import contextlib
import json
import ssl
import subprocess
import urllib.error
import urllib.request

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from longshore.addons.coredns import COREFILE
from longshore.components import component, locate
from longshore.fabric.namespaces import within
from longshore.testing.wait import wait_until

METRICS_PORT = 10443
START_SECONDS = 30.0


@contextlib.contextmanager
def running(plane, directory, *command):
    """A program in the control plane's namespace; its log is shown where the test fails."""
    log = directory / "log"
    enter = ["nsenter", f"--net={plane.namespace}", "--"]
    with log.open("wb") as output:
        process = subprocess.Popen([*enter, *map(str, command)], stdout=output, stderr=output)
    try:
        yield
    finally:
        # CoreDNS would end seconds after it is told to.
        process.kill()
        process.wait()
        print(log.read_text())


@pytest.fixture
def coredns(shared_plane, tmp_path):
    """EKS's Corefile, but for the API server's address."""
    client = f"kubeconfig {shared_plane.administrator}\n      pods insecure"
    (tmp_path / "Corefile").write_text(COREFILE.replace("pods insecure", client))
    with running(shared_plane, tmp_path, locate("coredns"), "-conf", tmp_path / "Corefile"):
        yield shared_plane


def ask(plane, name, kind="A"):
    """The records, or None while there is no answer."""
    with within(plane.namespace):
        try:
            answer = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", timeout=1)
        except (OSError, dns.exception.Timeout):
            return None
    if answer.rcode() == dns.rcode.SERVFAIL:
        return None
    return [record.to_text() for found in answer.answer for record in found]


def test_coredns_knows_the_clusters_services(coredns):
    name = "kubernetes.default.svc.cluster.local."
    assert wait_until(lambda: ask(coredns, name), START_SECONDS) == ["172.20.0.1"]
    [port] = ask(coredns, f"_https._tcp.{name}", "SRV")
    assert port.split()[2:] == ["443", name]
    assert ask(coredns, "nothing.default.svc.cluster.local.") == []
    coredns.run("create", "service", "clusterip", "shop", "--tcp=80", "--clusterip=172.20.9.9")
    try:
        shop = "shop.default.svc.cluster.local."
        assert wait_until(lambda: ask(coredns, shop), START_SECONDS) == ["172.20.9.9"]
    finally:
        coredns.run("delete", "service", "shop")


def test_metrics_server_serves_its_api(shared_plane, tmp_path):
    config = shared_plane.administrator
    command = (
        locate("metrics-server"),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--secure-port={METRICS_PORT}",
        f"--cert-dir={tmp_path}",
    )
    context = ssl._create_unverified_context()

    def get(path):
        with within(shared_plane.namespace):
            try:
                with urllib.request.urlopen(
                    f"https://127.0.0.1:{METRICS_PORT}{path}", context=context, timeout=5
                ) as answer:
                    return answer.read()
            except urllib.error.HTTPError as refused:
                refused.close()
                return b""
            except OSError:
                return b""

    with running(shared_plane, tmp_path, *command):
        assert wait_until(lambda: get("/livez"), START_SECONDS) == b"ok"
        version = json.loads(wait_until(lambda: get("/version"), START_SECONDS))
        assert version["major"] == "1"
    told = subprocess.run([locate("metrics-server"), "--version"], check=True, capture_output=True)
    [source] = component("metrics-server").sources
    assert told.stdout.decode() == f"v{source.version}\n"
