"""AWS's token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.awsapi.model import load_model
from longshore.gateway.handlers.throttle import Bucket
from longshore.gateway.limits import LIMITS, Limit, limit_of


@given(
    st.integers(1, 50),
    st.floats(0.5, 50),
    st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_no_more_is_let_through_than_the_burst_and_what_came_back(
    burst: int, rate: float, pauses: list[float]
) -> None:
    bucket = Bucket(Limit("any", burst, rate), 0.0)
    now, taken = 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
    assert taken <= burst + now * rate + 1e-6


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = Bucket(Limit("any", 3, 1.0), 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1.0), bucket.take(1.0)] == [True, False]


def test_every_limit_is_of_an_operation_that_exists() -> None:
    for service, operation in LIMITS:
        assert operation in load_model(service).operations


def test_operations_of_a_category_share_a_bucket_and_those_of_ec2_do_not() -> None:
    assert limit_of("ecs", "DescribeClusters") == limit_of("ecs", "ListClusters")
    assert limit_of("ec2", "DescribeVpcs") != limit_of("ec2", "DescribeSubnets")
    assert limit_of("iam", "GetUser") is None
