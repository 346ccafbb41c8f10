"""What the control plane's and the agent's process have in common: their argument and their end."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from longshore.base.installation import Installation, load_installation


def told_installation() -> Installation:
    """The installation of the data directory that the process was given; SystemExit without one."""
    installation = load_installation(Path(sys.argv[1]))
    if installation is None:
        raise SystemExit(f"no installation in {sys.argv[1]}")
    return installation


def stopping_at_signals() -> asyncio.Event:
    """Set at SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


async def run_until(stopping: asyncio.Event, running: Coroutine[Any, Any, None]) -> None:
    """Run until told to stop; if what runs ends by itself, so does this, with its error."""
    background = asyncio.create_task(running)
    stop = asyncio.create_task(stopping.wait())
    everything: list[asyncio.Task[Any]] = [background, stop]
    done, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
    for task in everything:
        task.cancel()
    await asyncio.gather(*everything, return_exceptions=True)
    if background in done:
        await background
