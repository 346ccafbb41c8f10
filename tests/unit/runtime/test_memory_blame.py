"""Which container of a sandbox that ran out of memory is to blame."""

import pytest

from longshore.runtime.containerd.memory import who_filled


@pytest.mark.parametrize(
    ("used", "named"),
    [
        ({"main": 90, "sidecar": 5}, "main"),
        ({"main": None, "sidecar": 5}, "main"),
        ({"main": 90, "sidecar": None}, "main"),
        ({"main": None, "sidecar": None}, ""),
        ({"main": None, "sidecar": None, "large": 60}, "large"),
        ({}, ""),
    ],
)
def test_container_that_used_most_is_named_or_the_one_that_must_have(used, named):
    assert who_filled(100, used) == named
