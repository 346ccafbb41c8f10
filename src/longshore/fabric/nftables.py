"""nftables through libnftables' JSON interface, called in this process.

libnftables comes with Debian's and Ubuntu's `nftables` package; its own Python binding is not on
PyPI and is as thin as this one. A call takes some 0.3 ms, an `nft` process 4 ms (decision 0050).
"""

import ctypes
import functools
import json
from collections.abc import Sequence
from typing import Any

from longshore.fabric.interface import FabricError

OUTPUT_JSON = 1 << 4


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise FabricError(f"libnftables is missing (package nftables): {error}") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_free.argtypes = [ctypes.c_void_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        function = getattr(library, name)
        function.argtypes = [ctypes.c_void_p]
        function.restype = ctypes.c_char_p
    return library


def _run(text: bytes) -> tuple[int, bytes, bytes]:
    library = _library()
    # Made anew each time: a context's socket belongs to the namespace in which it was opened.
    context = library.nft_ctx_new(0)
    try:
        library.nft_ctx_buffer_output(context)
        library.nft_ctx_buffer_error(context)
        library.nft_ctx_output_set_flags(context, OUTPUT_JSON)
        status = library.nft_run_cmd_from_buffer(context, text)
        output = library.nft_ctx_get_output_buffer(context)
        error = library.nft_ctx_get_error_buffer(context)
        return status, output or b"", error or b""
    finally:
        library.nft_ctx_free(context)


def run_transaction(commands: Sequence[dict[str, Any]]) -> None:
    """Run libnftables-json(5) commands in this thread's namespace: all of them, or none."""
    if not commands:
        return
    status, _, error = _run(json.dumps({"nftables": list(commands)}).encode())
    if status != 0:
        raise FabricError(f"nftables refused a transaction: {error.decode(errors='replace')}")


def list_rules(family: str, table: str, chain: str) -> list[dict[str, Any]] | None:
    """The rules of a chain in this thread's namespace, as libnftables-json(5) has them.

    None where there is no such chain.
    """
    status, output, _ = _run(f"list chain {family} {table} {chain}".encode())
    if status != 0:
        return None
    return [item["rule"] for item in json.loads(output)["nftables"] if "rule" in item]


def list_tables() -> list[tuple[str, str]]:
    """(family, name) of the tables in this thread's namespace."""
    status, output, error = _run(b"list tables")
    if status != 0:
        raise FabricError(f"nftables does not answer: {error.decode(errors='replace')}")
    objects = json.loads(output)["nftables"] if output else []
    return [(item["table"]["family"], item["table"]["name"]) for item in objects if "table" in item]
