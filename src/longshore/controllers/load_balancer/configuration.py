"""What one HAProxy is told: its configuration, and in what state it is to begin; pure.

("HAProxy Configuration Manual".) A backend that no target of is well gives its connections to one
that asks nobody: a Network Load Balancer that has no healthy target fails open.
"""

import hashlib
from collections.abc import Iterable, Mapping

from longshore.controllers.load_balancer.scene import Route, Scene, Server

HERE = "/lb"
"""Where the directory of a node is in its container."""
SOCKET, STATE, VERSION, FILE = "admin.sock", "state", "version", "haproxy.cfg"
OLD_WORKERS = 50
"""So many changes of the configuration ago a connection that still is there is ended."""
CONNECT_SECONDS = 5
STATE_HEAD = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
    "srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health "
    "srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord "
    "srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
)
FRESH = ("0", "0", "1", "1", "0", "1", "0", "0", "6")
"""The fields from srv_op_state on of a target that nobody has asked yet: down."""


def version_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def configuration(scene: Scene, zone: str) -> str:
    """For the node in this AZ, without the line that says its version."""
    lines = [
        "global",
        "  nbthread 2",
        f"  stats socket {HERE}/{SOCKET} mode 600 level admin",
        f"  server-state-file {HERE}/{STATE}",
        f"  mworker-max-reloads {OLD_WORKERS}",
        "defaults",
        "  mode tcp",
        f"  timeout connect {CONNECT_SECONDS}s",
        "  retries 3",
        "  option redispatch",
        "  load-server-state-from-file global",
        # One that listens for nobody: without any, HAProxy would not start.
        "frontend nobody",
        "  timeout client 1s",
        f"  bind unix@{HERE}/nobody.sock",
    ]
    for route in scene.routes:
        served = [server for server in route.servers if scene.serves(zone, server)]
        lines += _route(route, served)
    return "\n".join(lines) + "\n"


def with_version(text: str) -> str:
    """The configuration as it is written: HAProxy tells which one it has."""
    return text.replace("global\n", f"global\n  description {version_of(text)}\n", 1)


def _route(route: Route, served: Iterable[Server]) -> list[str]:
    name, idle = route.backend, route.idle_seconds
    lines = [
        f"frontend {name}-in",
        f"  bind :{route.listener.port}",
        f"  timeout client {idle}s",
        f"  use_backend {name} if {{ nbsrv({name}) gt 0 }}",
        f"  default_backend {name}-open",
    ]
    usual = [f"  timeout server {idle}s", "  balance roundrobin"]
    if route.is_on("stickiness.enabled"):
        usual = [usual[0], "  balance source", "  hash-type consistent"]
    proxied = " send-proxy-v2" if route.is_on("proxy_protocol_v2.enabled") else ""
    servers = [
        f"  server {each.target.key} {each.address}:{each.target.port}{proxied}" for each in served
    ]
    lines += [f"backend {name}", *usual, *_checks(route), *(f"{each} check" for each in servers)]
    return [*lines, f"backend {name}-open", *usual, *servers]


def _checks(route: Route) -> list[str]:
    check = route.group.health_check
    port = "" if check.port == "traffic-port" else f" port {check.port}"
    secure = " check-ssl verify none" if check.protocol == "HTTPS" else ""
    lines = [
        f"  timeout check {check.timeout}s",
        f"  default-server inter {check.interval}s rise {check.healthy_threshold} "
        f"fall {check.unhealthy_threshold}{port}{secure}",
    ]
    if check.protocol != "TCP":
        lines += [
            "  option httpchk",
            f"  http-check send meth GET uri '{check.path}' ver HTTP/1.1 hdr Host health-check "
            "hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close",
            f"  http-check expect status {check.codes}",
        ]
    return lines


def beginning(scene: Scene, zone: str, states: Mapping[tuple[str, str], tuple[str, ...]]) -> str:
    """The state file: what is known of targets goes on, new ones are down until they answer.

    `states` are fields from srv_op_state on, by backend and server, as `server_states` reads them.
    """
    lines = []
    for number, route in enumerate(scene.routes):
        for place, server in enumerate(s for s in route.servers if scene.serves(zone, s)):
            fields = states.get((route.backend, server.target.key), FRESH)
            lines.append(
                f"{number} {route.backend} {place + 1} {server.target.key} {server.address} "
                f"{' '.join(fields)} 0 0 0 - {server.target.port} - 0 0 - - 0\n"
            )
    return STATE_HEAD + "".join(lines)


def server_states(told: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """What `show servers state` says, for `beginning`."""
    found = {}
    for line in told.splitlines():
        fields = line.split()
        if len(fields) >= 15 and not line.startswith("#"):
            found[fields[1], fields[3]] = tuple(fields[5:14])
    return found
