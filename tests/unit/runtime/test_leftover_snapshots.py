"""Numbers of snapshots, where a killed containerd left directories."""

import grpc
import pytest
from grpc.aio import Metadata

from longshore.runtime.containerd.api import Containerd

TAKEN = (
    "failed to rename: rename /a.overlayfs/snapshots/new-1 /a.overlayfs/snapshots/{}: file exists"
)


class Numbering(Containerd):
    """Numbers snapshots as containerd does: one that is refused leaves its number to the next."""

    def __init__(self, leftovers):
        self.leftovers = set(leftovers)
        self.numbers = {}
        self.next = 1

    async def call(self, service, method, request, response, seconds=60.0):
        if method == "Prepare":
            if self.next in self.leftovers:
                self.leftovers.remove(self.next)
                details = TAKEN.format(self.next)
                raise grpc.aio.AioRpcError(grpc.StatusCode.UNKNOWN, Metadata(), Metadata(), details)
            self.numbers[request.key] = self.next
            self.next += 1
        else:
            del self.numbers[request.key]
        return response()


@pytest.mark.parametrize(("leftovers", "number"), [((), 1), ((1,), 2), ((1, 2, 3), 4), ((2,), 1)])
async def test_snapshot_never_has_the_number_of_a_leftover(leftovers, number):
    """containerd's clean-up may have seen it, and may yet remove it."""
    containerd = Numbering(leftovers)
    await containerd.prepare("overlayfs", "wanted", "image")
    assert containerd.numbers == {"wanted": number}
