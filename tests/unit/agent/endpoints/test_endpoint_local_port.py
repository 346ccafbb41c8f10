"""The loopback port: free at first, then always the same."""

import socket
from pathlib import Path

from longshore.agent.endpoints import choose_local_port
from longshore.agent.endpoints.listening import LOCAL_PORTS


def test_a_port_once_chosen_stays_even_while_somebody_listens_on_it(tmp_path: Path) -> None:
    port = choose_local_port(tmp_path)
    assert port in LOCAL_PORTS
    with socket.create_server(("127.0.0.1", port)):
        assert choose_local_port(tmp_path) == port


def test_a_port_that_is_taken_is_not_chosen(tmp_path: Path) -> None:
    taken = choose_local_port(tmp_path)
    (tmp_path / "local-port").unlink()
    with socket.create_server(("127.0.0.1", taken)):
        assert choose_local_port(tmp_path) != taken


def test_two_installations_on_a_machine_have_different_ports(tmp_path: Path) -> None:
    assert choose_local_port(tmp_path / "one") != choose_local_port(tmp_path / "two")


def test_a_file_that_a_crash_left_unreadable_is_chosen_anew(tmp_path: Path) -> None:
    (tmp_path / "local-port").write_text("")
    assert choose_local_port(tmp_path) in LOCAL_PORTS
