"""An EC2 instance as its agent is told of it, and its interface."""

import base64
from typing import Any

import msgspec

from longshore.model.network import Interface, SecondaryAddress
from longshore.nodeapi.own import HostInstance, InstanceProfile, InstanceRole

ROLE = InstanceRole(
    name="node",
    access_key_id="ASIAEXAMPLE",
    secret_access_key="secret",
    session_token="token",
    expiration="2126-01-01T00:00:00Z",
)
PROFILE = InstanceProfile(
    arn="arn:aws:iam::123456789012:instance-profile/node",
    id="AIPAEXAMPLE",
    updated="2026-01-01T00:00:00Z",
    role=ROLE,
)
INTERFACE = Interface(
    id="eni-15",
    vpc_id="vpc-1",
    subnet_id="subnet-1",
    mac="02:00:00:00:01:05",
    address="10.0.1.5",
    prefix_length=24,
    gateway="10.0.1.1",
    public_address="198.18.7.5",
    secondary=(SecondaryAddress("10.0.1.60"), SecondaryAddress("10.0.1.61", "198.18.7.61")),
    security_groups=("sg-1", "sg-2"),
    zone="us-east-1a",
)


def make_instance(**changes: Any) -> HostInstance:
    instance = HostInstance(
        interface_id="eni-15",
        instance_id="i-0123456789abcdef5",
        image_id="ami-0123456789abcdef0",
        instance_type="t3.medium",
        account="123456789012",
        region="us-east-1",
        zone="us-east-1a",
        zone_id="use1-az1",
        reservation_id="r-0123456789abcdef0",
        launch_index=1,
        launched_at="2026-01-01T00:00:00Z",
        private_dns_name="ip-10-0-1-5.ec2.internal",
        public_dns_name="ec2-198-18-7-5.compute-1.amazonaws.com",
        subnet_cidr="10.0.1.0/24",
        vpc_cidrs=("10.0.0.0/16", "10.1.0.0/16"),
        security_groups=("web", "ssh"),
        key_name="mine",
        public_key="ssh-ed25519 AAAA mine",
        user_data=base64.b64encode(b"#!/bin/sh\n\x00\xff").decode(),
        profile=PROFILE,
    )
    return msgspec.structs.replace(instance, **changes)
