"""A real HAProxy, told by what the load balancers' controller writes."""

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from longshore.controllers.load_balancer import proxy
from longshore.controllers.load_balancer.configuration import FILE, HERE
from longshore.controllers.load_balancer.scene import Route, Scene, Server
from longshore.model.elbv2 import HealthCheck, Listener, Target, TargetGroup
from longshore.testing.ports import free_ports
from longshore.testing.wait import wait_until

ZONE = "us-east-1a"
CHECKED = HealthCheck(
    protocol="HTTP", interval=1, timeout=1, healthy_threshold=2, path="/", codes="200"
)


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def page():
    """A server whose answer has the status `status`; its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.status = 200
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Running:
    """HAProxy without a container around it: its files name their directory instead."""

    def __init__(self, directory):
        self.directory = directory
        self.port = free_ports(1)
        self.process = None

    def write(self, *targets):
        listener = Listener(
            arn="l", id="1", load_balancer="net/x/1", port=self.port, target_group="web/1"
        )
        group = TargetGroup(arn="g", name="web", id="1", port=1, vpc_id="v", health_check=CHECKED)
        servers = tuple(
            Server(Target(id="127.0.0.1", port=port, registered_at=1.0), "127.0.0.1", ZONE)
            for port in targets
        )
        scene = Scene((Route(listener, group, servers),), frozenset({ZONE}), False)
        version = proxy.write(self.directory, scene, ZONE)
        file = self.directory / FILE
        file.write_text(file.read_text().replace(f"{HERE}/", f"{self.directory}/"))
        return version

    def start(self):
        command = ["haproxy", "-W", "-db", "-f", str(self.directory / FILE)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def reload(self):
        self.process.send_signal(signal.SIGUSR2)

    def status(self, port):
        checks = proxy.look(self.directory).checks
        found = checks.get((f"port-{self.port}", f"127.0.0.1:{port}"))
        return found.status if found is not None else ""

    def end(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


@pytest.fixture
def haproxy(tmp_path):
    if shutil.which("haproxy", path="/usr/sbin:/usr/bin") is None:
        pytest.fail("haproxy is missing: apt-get install haproxy")
    running = Running(tmp_path / "node")
    yield running
    running.end()


def test_targets_are_healthy_only_after_they_have_answered_often_enough(haproxy, page):
    port = page.server_address[1]
    page.status = 503
    version = haproxy.write(port)
    haproxy.start()
    wait_until(lambda: proxy.look(haproxy.directory).version == version)
    assert haproxy.status(port).startswith("DOWN")
    page.status = 200
    wait_until(lambda: haproxy.status(port) == "UP")
    page.status = 503
    wait_until(lambda: haproxy.status(port) == "DOWN")
    check = proxy.look(haproxy.directory).checks[f"port-{haproxy.port}", f"127.0.0.1:{port}"]
    assert (check.result, check.code) == ("L7STS", "503")


def test_a_new_configuration_keeps_connections_and_what_is_known_of_targets(haproxy, page):
    port, other = page.server_address[1], free_ports(1)
    haproxy.write(port)
    haproxy.start()
    wait_until(lambda: haproxy.status(port) == "UP")
    with socket.create_connection(("127.0.0.1", haproxy.port), timeout=5) as kept:
        assert _ask(kept) == b"HTTP/1.0 200 OK"
    with socket.create_connection(("127.0.0.1", haproxy.port), timeout=5) as kept:
        version = haproxy.write(port, other)
        haproxy.reload()
        wait_until(lambda: proxy.look(haproxy.directory).version == version)
        assert haproxy.status(port) == "UP"
        assert haproxy.status(other).startswith("DOWN")
        assert _ask(kept) == b"HTTP/1.0 200 OK"


def test_without_a_healthy_target_connections_go_to_all(haproxy, page):
    port = page.server_address[1]
    page.status = 503
    haproxy.write(port)
    haproxy.start()

    def answered():
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", haproxy.port), timeout=5) as connection,
        ):
            return _ask(connection) == b"HTTP/1.0 503 Service Unavailable"
        return False

    wait_until(answered)


def test_an_unchanged_configuration_is_not_written_again(haproxy):
    first = haproxy.write(1)
    before = (haproxy.directory / FILE).stat().st_ino
    assert haproxy.write(1) == first
    assert (haproxy.directory / FILE).stat().st_ino == before
    assert haproxy.write(2) != first


def test_nothing_is_seen_where_no_haproxy_runs(haproxy):
    assert proxy.look(haproxy.directory).version == ""
    haproxy.write(1)
    assert proxy.look(haproxy.directory).version == ""


def _ask(connection):
    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return connection.recv(1000).split(b"\r\n")[0]
