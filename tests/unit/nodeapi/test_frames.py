"""Frames of ACS and TCS, as the Amazon ECS agent writes and reads them."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.nodeapi import acs, frames, tcs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_payload_is_written_in_the_agents_camel_case() -> None:
    task = acs.Task(
        arn="arn:aws:ecs:us-east-1:123456789012:task/default/1",
        containers=(
            acs.Container(
                name="web",
                image="nginx",
                entry_point=("/entry",),
                port_mappings=(acs.PortMapping(container_port=80),),
                depends_on=(acs.DependsOn(container_name="db", condition="HEALTHY"),),
            ),
        ),
        elastic_network_interfaces=(
            acs.ElasticNetworkInterface(
                ec2_id="eni-1", ipv4_addresses=(acs.Ipv4Address(private_address="10.0.0.4"),)
            ),
        ),
    )
    message = acs.PayloadMessage(
        message_id="m", cluster_arn="c", container_instance_arn="i", tasks=(task,)
    )
    frame = json.loads(frames.encode(message))
    container = frame["message"]["tasks"][0]["containers"][0]
    assert frame["type"] == "PayloadMessage"
    assert frame["message"]["messageId"] == "m"
    assert container["portMappings"] == [{"containerPort": 80}]
    assert container["dependsOn"] == [{"containerName": "db", "condition": "HEALTHY"}]
    interface = frame["message"]["tasks"][0]["elasticNetworkInterfaces"][0]
    assert interface == {"ec2Id": "eni-1", "ipv4Addresses": [{"privateAddress": "10.0.0.4"}]}


@pytest.mark.parametrize("channel", [acs.TO_AGENT, acs.FROM_AGENT, tcs.TO_AGENT, tcs.FROM_AGENT])
@given(message=JSON)
def test_hostile_messages_of_known_types_are_refused_or_read(channel: Any, message: Any) -> None:
    for name in channel:
        text = json.dumps({"type": name, "message": message})
        with contextlib.suppress(frames.FrameError):
            assert type(frames.decode(text, channel)).__name__ == name


@given(st.binary(max_size=200))
def test_garbage_is_a_frame_error(content: bytes) -> None:
    for decode in (tcs.decode_signed, lambda text: frames.decode(text, acs.FROM_AGENT)):
        with pytest.raises(frames.FrameError):
            decode(content)


@given(st.integers(min_value=0), st.text(), st.booleans())
def test_telemetry_reads_back_with_and_without_its_signature(
    count: int, name: str, idle: bool
) -> None:
    message = tcs.PublishMetricsRequest(
        metadata=tcs.MetricsMetadata(message_id="1", idle=idle),
        task_metrics=(
            tcs.TaskMetric(
                task_arn="t",
                container_metrics=(
                    tcs.ContainerMetric(
                        container_name=name,
                        cpu_stats_set=tcs.StatsSet(sample_count=count % 2**31),
                    ),
                ),
            ),
        ),
    )
    signed = tcs.encode_signed(message, {"Authorization": "AWS4-HMAC-SHA256 x", "Host": "h"})
    assert tcs.decode_signed(signed) == message
    assert tcs.decode_signed(frames.encode(message)) == message
    assert tcs.decode_signed(signed.decode()) == message
