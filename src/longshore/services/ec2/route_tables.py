"""Route tables: their routes, and the subnets that use them."""

import ipaddress
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model.ec2 import (
    INTERNET_GATEWAY,
    ROUTE_TABLE,
    SUBNET,
    VPC,
    Route,
    RouteTable,
)
from longshore.model.errors import AwsError, not_implemented
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.idempotency import once
from longshore.services.ec2.ranges import parse_cidr
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.lookup import require
from longshore.vpc.projection import route_table_of

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AssociateRouteTableRequestTypeDef,
        CreateRouteRequestTypeDef,
        CreateRouteTableRequestTypeDef,
        DeleteRouteRequestTypeDef,
        DeleteRouteTableRequestTypeDef,
        DescribeRouteTablesRequestTypeDef,
        DisassociateRouteTableRequestTypeDef,
        ReplaceRouteRequestTypeDef,
        ReplaceRouteTableAssociationRequestTypeDef,
    )

LISTING = Listing(
    member="RouteTables",
    ids="RouteTableIds",
    id="RouteTableId",
    absent=("InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist"),
    filters={
        "association.main": "Associations[].Main",
        "association.route-table-association-id": "Associations[].RouteTableAssociationId",
        "association.route-table-id": "Associations[].RouteTableId",
        "association.subnet-id": "Associations[].SubnetId",
        "owner-id": "OwnerId",
        "route-table-id": "RouteTableId",
        "route.destination-cidr-block": "Routes[].DestinationCidrBlock",
        "route.gateway-id": "Routes[].GatewayId",
        "route.origin": "Routes[].Origin",
        "route.state": "Routes[].State",
        "vpc-id": "VpcId",
    },
)
OTHER_TARGETS = (
    "CarrierGatewayId",
    "CoreNetworkArn",
    "EgressOnlyInternetGatewayId",
    "InstanceId",
    "LocalGatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcEndpointId",
    "VpcPeeringConnectionId",
)
ASSOCIATED = {"State": "associated"}


def _route_item(context: Context, route: Route, vpc_id: str) -> Item:
    state = "active"
    if route.target.startswith("igw-"):
        gateway = context.tx.get(INTERNET_GATEWAY, *_place(context), route.target)
        state = "active" if gateway and gateway.value.vpc_id == vpc_id else "blackhole"
    return {
        "DestinationCidrBlock": route.destination,
        "GatewayId": route.target,
        "Origin": route.origin,
        "State": state,
    }


def _place(context: Context) -> tuple[str, str]:
    return context.account, context.region


def _association_item(table: RouteTable, association: tuple[str, str]) -> Item:
    association_id, subnet_id = association
    item = {
        "RouteTableAssociationId": association_id,
        "RouteTableId": table.id,
        "Main": not subnet_id,
        "AssociationState": ASSOCIATED,
    }
    return {**item, "SubnetId": subnet_id} if subnet_id else item


def table_item(context: Context, table: RouteTable) -> Item:
    return {
        "RouteTableId": table.id,
        "OwnerId": context.account,
        "VpcId": table.vpc_id,
        "Routes": [_route_item(context, route, table.vpc_id) for route in table.routes],
        "Associations": [_association_item(table, a) for a in table.associations],
        "PropagatingVgws": [],
        "Tags": tag_list(table.tags),
    }


def _table(context: Context, table_id: str) -> RouteTable:
    return require(context.tx, ROUTE_TABLE, *_place(context), table_id)


def _put(context: Context, table: RouteTable, **changes: Any) -> RouteTable:
    changed = msgspec.structs.replace(table, **changes)
    context.tx.put(ROUTE_TABLE, *_place(context), table.id, changed)
    return changed


def create_route_table(context: Context, request: "CreateRouteTableRequestTypeDef") -> Response:
    table = once(context, request, ROUTE_TABLE, lambda: _make_table(context, request))
    return {"RouteTable": table_item(context, table)}


def _make_table(context: Context, request: "CreateRouteTableRequestTypeDef") -> RouteTable:
    vpc = require(context.tx, VPC, *_place(context), request["VpcId"])
    table = RouteTable(
        id=f"rtb-{context.ids.hex(17)}",
        vpc_id=vpc.id,
        routes=tuple(
            Route(destination=cidr, target="local", origin="CreateRouteTable") for cidr in vpc.cidrs
        ),
        tags=tags_at_creation(context, request, "route-table"),
    )
    context.tx.create(ROUTE_TABLE, *_place(context), table.id, table)
    return table


def describe_route_tables(
    context: Context, request: "DescribeRouteTablesRequestTypeDef"
) -> Response:
    records = context.tx.scan(ROUTE_TABLE, *_place(context))
    return describe(LISTING, (table_item(context, r.value) for r in records), request)


def delete_route_table(context: Context, request: "DeleteRouteTableRequestTypeDef") -> Response:
    table = _table(context, request["RouteTableId"])
    if table.associations:
        raise AwsError(
            "DependencyViolation",
            f"The routeTable '{table.id}' has dependencies and cannot be deleted.",
        )
    context.tx.delete(ROUTE_TABLE, *_place(context), table.id)
    return {}


def _destination(request: Any) -> str:
    if "DestinationCidrBlock" not in request:
        raise not_implemented("ec2", "routes to IPv6 ranges and prefix lists")
    return str(parse_cidr(request["DestinationCidrBlock"], "destinationCidrBlock"))


def _target(context: Context, table: RouteTable, request: Any) -> str:
    """The gateway of a new route; AwsError where it is not this VPC's."""
    for name in OTHER_TARGETS:
        if name in request:
            raise not_implemented("ec2", f"routes to a {name}")
    gateway_id = request.get("GatewayId", "local" if request.get("LocalTarget") else "")
    if not gateway_id:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter gatewayId or another target"
        )
    if gateway_id == "local":
        return "local"
    gateway = require(context.tx, INTERNET_GATEWAY, *_place(context), gateway_id)
    if gateway.vpc_id != table.vpc_id:
        raise AwsError(
            "InvalidParameterValue",
            f"route table {table.id} and network gateway {gateway_id} belong to different networks",
        )
    return gateway.id


def create_route(context: Context, request: "CreateRouteRequestTypeDef") -> Response:
    """Add a route; one within the VPC's own ranges is refused."""
    table = _table(context, request["RouteTableId"])
    destination = _destination(request)
    for route in table.routes:
        if route.destination == destination:
            raise AwsError(
                "RouteAlreadyExists", f"The route identified by {destination} already exists."
            )
        if route.target == "local" and ipaddress.IPv4Network(destination).subnet_of(
            ipaddress.IPv4Network(route.destination)
        ):
            raise AwsError(
                "InvalidParameterValue",
                f"The destination CIDR block {destination} is equal to or more specific than one "
                "of this VPC's CIDR blocks. This route can target only an interface or an "
                "instance.",
            )
    target = _target(context, table, request)
    _put(context, table, routes=(*table.routes, Route(destination=destination, target=target)))
    return {"Return": True}


def _existing(table: RouteTable, destination: str) -> Route:
    for route in table.routes:
        if route.destination == destination:
            return route
    raise AwsError(
        "InvalidRoute.NotFound",
        f"no route with destination-cidr-block {destination} in route table {table.id}",
    )


def replace_route(context: Context, request: "ReplaceRouteRequestTypeDef") -> Response:
    table = _table(context, request["RouteTableId"])
    old = _existing(table, _destination(request))
    _refuse_local(old, "replace")
    new = Route(destination=old.destination, target=_target(context, table, request))
    _put(context, table, routes=tuple(new if r == old else r for r in table.routes))
    return {}


def delete_route(context: Context, request: "DeleteRouteRequestTypeDef") -> Response:
    table = _table(context, request["RouteTableId"])
    old = _existing(table, _destination(request))
    _refuse_local(old, "remove")
    _put(context, table, routes=tuple(r for r in table.routes if r != old))
    return {}


def _refuse_local(route: Route, verb: str) -> None:
    if route.target == "local":
        raise AwsError(
            "InvalidParameterValue",
            f"cannot {verb} local route {route.destination} in route table",
        )


def associate_route_table(
    context: Context, request: "AssociateRouteTableRequestTypeDef"
) -> Response:
    table = _table(context, request["RouteTableId"])
    if "SubnetId" not in request:
        raise not_implemented("ec2", "AssociateRouteTable with a gateway")
    subnet = require(context.tx, SUBNET, *_place(context), request["SubnetId"])
    if subnet.vpc_id != table.vpc_id:
        raise AwsError(
            "InvalidParameterValue",
            f"route table {table.id} and subnet {subnet.id} belong to different networks",
        )
    tables = [r.value for r in context.tx.find(ROUTE_TABLE, *_place(context), "vpc", table.vpc_id)]
    current = route_table_of(subnet.id, tables)
    if current is not None and any(s == subnet.id for _, s in current.associations):
        raise AwsError(
            "Resource.AlreadyAssociated",
            f"the specified association for route table {table.id} conflicts with an existing "
            "association",
        )
    association = (f"rtbassoc-{context.ids.hex(17)}", subnet.id)
    # Two tables taking one subnet at once must meet: both write the subnet.
    context.tx.put(SUBNET, *_place(context), subnet.id, subnet)
    _put(context, table, associations=(*table.associations, association))
    return {"AssociationId": association[0], "AssociationState": ASSOCIATED}


def _association(context: Context, association_id: str) -> tuple[RouteTable, tuple[str, str]]:
    for record in context.tx.scan(ROUTE_TABLE, *_place(context)):
        for association in record.value.associations:
            if association[0] == association_id:
                return record.value, association
    raise AwsError(
        "InvalidAssociationID.NotFound", f"The association ID '{association_id}' does not exist"
    )


def disassociate_route_table(
    context: Context, request: "DisassociateRouteTableRequestTypeDef"
) -> Response:
    table, association = _association(context, request["AssociationId"])
    if not association[1]:
        raise AwsError(
            "InvalidParameterValue",
            f"cannot disassociate the main route table association {association[0]}",
        )
    _put(context, table, associations=tuple(a for a in table.associations if a != association))
    return {}


def replace_route_table_association(
    context: Context, request: "ReplaceRouteTableAssociationRequestTypeDef"
) -> Response:
    """Give a subnet another table, or the VPC another main table."""
    old, association = _association(context, request["AssociationId"])
    new = _table(context, request["RouteTableId"])
    if new.vpc_id != old.vpc_id:
        raise AwsError(
            "InvalidParameterValue",
            f"route table {new.id} and route table {old.id} belong to different networks",
        )
    fresh = (f"rtbassoc-{context.ids.hex(17)}", association[1])
    without = tuple(a for a in old.associations if a != association)
    if new.id == old.id:
        _put(context, old, associations=(*without, fresh))
    else:
        _put(context, old, associations=without)
        _put(context, new, associations=(*new.associations, fresh))
    return {"NewAssociationId": fresh[0], "AssociationState": ASSOCIATED}
