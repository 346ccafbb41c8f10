"""Errors of Elastic Load Balancing ("Common Errors" and "Errors" of each operation, Elastic Load
Balancing API Reference, version 2015-12-01)."""

from longshore.model.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def misconfigured(message: str) -> AwsError:
    return AwsError("InvalidConfigurationRequest", message)


def in_use(message: str) -> AwsError:
    return AwsError("ResourceInUse", message)


def no_load_balancer(arn: str = "") -> AwsError:
    said = f"Load balancer '{arn}' not found" if arn else "One or more load balancers not found"
    return AwsError("LoadBalancerNotFound", said)


def no_target_group() -> AwsError:
    return AwsError("TargetGroupNotFound", "One or more target groups not found")


def no_listener() -> AwsError:
    return AwsError("ListenerNotFound", "One or more listeners not found")


def too_many(code: str, message: str) -> AwsError:
    return AwsError(code, message)
