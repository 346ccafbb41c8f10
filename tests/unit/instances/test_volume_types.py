"""What volumes of each type may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.instances.types import instance_types
from longshore.instances.volume_types import TYPES, performance
from longshore.model.errors import AwsError


def refusal(*asked: object) -> AwsError:
    with pytest.raises(AwsError) as caught:
        performance(*asked)  # type: ignore[arg-type]
    return caught.value


def test_a_gp3_volume_has_its_baseline_where_nothing_is_asked():
    made = performance("gp3", 1)
    assert (made.iops, made.throughput) == (3000, 125)


@pytest.mark.parametrize(("size", "iops"), [(1, 100), (100, 300), (10_000, 16_000)])
def test_a_gp2_volume_is_as_fast_as_it_is_large(size, iops):
    assert performance("gp2", size).iops == iops


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        (("gp4", 1), "UnknownVolumeType", "gp4"),
        (("gp3", 0), "InvalidParameterValue", "minimum is 1GiB"),
        (("gp3", 65_537), "InvalidParameterValue", "maximum is 65536GiB"),
        (("st1", 124), "InvalidParameterValue", "minimum is 125GiB"),
        (("standard", 1_025), "InvalidParameterValue", "maximum is 1024GiB"),
        (("gp3", 100, 80_001), "InvalidParameterValue", "maximum is 80000"),
        (("gp3", 100, 2_999), "InvalidParameterValue", "minimum is 3000"),
        (("gp3", 7, 4_000), "InvalidParameterValue", "ratio of 571.428571 is too high"),
        (("gp3", 100, 3_000, 800), "InvalidParameterValue", "maximum is 0.250000"),
        (("gp3", 100, 3_000, 124), "InvalidParameterValue", "minimum is 125"),
        (("gp2", 100, 3_000), "InvalidParameterCombination", "not supported for gp2"),
        (("io2", 100), "InvalidParameterCombination", "must be specified for io2"),
        (("io1", 4, 201), "InvalidParameterValue", "ratio of 50.250000"),
        (("io2", 4, 2**31 - 1), "InvalidParameterValue", "maximum is 256000"),
        (("io1", 100, 500, 125), "InvalidParameterCombination", "not supported for io1"),
    ],
)
def test_what_a_type_cannot_be_is_refused(asked, code, said):
    error = refusal(*asked)
    assert error.code == code
    assert said in error.message


@given(
    st.sampled_from(sorted(TYPES)),
    st.integers(-1, 70_000),
    st.none() | st.integers(-1, 300_000),
    st.none() | st.integers(-1, 3_000),
)
def test_what_is_made_is_within_its_types_bounds(kind, size, iops, throughput):
    try:
        made = performance(kind, size, iops, throughput)
    except AwsError as error:
        assert error.code in {"InvalidParameterValue", "InvalidParameterCombination"}
        return
    bounds = TYPES[kind]
    assert bounds.least <= made.size <= bounds.most
    assert made.iops <= max(bounds.iops[1], 16_000)
    assert made.throughput <= bounds.throughput[1]
    assert iops in {None, made.iops}
    assert throughput in {None, made.throughput}


def test_how_many_volumes_an_instance_may_have_is_its_types():
    limits = {name: kind.data_volumes for name, kind in instance_types().items()}
    assert limits["t2.micro"] == 39
    assert limits["t3.micro"] == 26
    assert limits["m7i.large"] == 31
