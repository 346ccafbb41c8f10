"""The policy simulator: what the engine would decide, without asking a service."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from longshore.model import iam
from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError, not_implemented
from longshore.model.principal import Principal
from longshore.policy.document import Document, Kind, read_document
from longshore.policy.evaluation import Policies, Request, evaluate, principal_conditions
from longshore.policy.session import role_session
from longshore.services.iam.entities import GROUP, ROLE, USER, Noun, find, require
from longshore.services.iam.entities import Principal as Entity
from longshore.services.iam.failures import invalid_input, no_such_entity
from longshore.services.iam.identity import user_principal
from longshore.services.iam.pages import page
from longshore.services.iam.sources import compiled, document_of
from longshore.services.iam.views import Shape
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One policy that has a say: what responses call it, what sort it is, what it says."""

    id: str
    type: str
    document: Document


@dataclass(slots=True, kw_only=True)
class Simulation:
    """Whose call is tried, and under which policies."""

    principal: Principal
    sources: list[Source]
    boundary: Document | None = None
    resource: Document | None = None
    conditions: dict[str, str | list[str]] = field(default_factory=dict)


def simulate_custom_policy(
    context: Context, request: "t.SimulateCustomPolicyRequestTypeDef"
) -> Response:
    caller = _caller(context, request.get("CallerArn", ""))
    return _answer(context, request, Simulation(principal=caller, sources=[]))


def simulate_principal_policy(
    context: Context, request: "t.SimulatePrincipalPolicyRequestTypeDef"
) -> Response:
    return _answer(context, request, _of_principal(context, request))


def _answer(context: Context, request: Any, simulation: Simulation) -> Response:
    _add_given(request, simulation)
    tried = [
        (action, resource)
        for action in request["ActionNames"]
        for resource in request.get("ResourceArns", ["*"])
    ]
    given, more = page(enumerate(tried), lambda each: f"{each[0]:08}", request)
    return {"EvaluationResults": [_result(simulation, *pair) for _, pair in given], **more}


def _add_given(request: Any, simulation: Simulation) -> None:
    """The policies and context keys of the request itself."""
    if "ResourceHandlingOption" in request or "ResourceOwner" in request:
        raise not_implemented("iam", "ResourceHandlingOption and ResourceOwner of the simulator")
    for number, text in enumerate(request.get("PolicyInputList", ()), 1):
        source = Source(
            id=f"PolicyInputList.{number}", type="IAM Policy", document=_read(text, Kind.IDENTITY)
        )
        simulation.sources.append(source)
    boundaries = request.get("PermissionsBoundaryPolicyInputList", ())
    if len(boundaries) > 1:
        raise invalid_input("Only one permissions boundary policy is allowed.")
    if boundaries:
        simulation.boundary = _read(boundaries[0], Kind.IDENTITY)
    if "ResourcePolicy" in request:
        simulation.resource = _read(request["ResourcePolicy"], Kind.RESOURCE)
    for entry in request.get("ContextEntries", ()):
        if not entry.get("ContextKeyName"):
            raise invalid_input("Each context entry must have a ContextKeyName.")
        values = list(entry.get("ContextKeyValues", ()))
        simulation.conditions[entry["ContextKeyName"]] = values


def _read(text: str, kind: str) -> Document:
    try:
        return read_document(text, kind)
    except AwsError as error:
        raise invalid_input(error.message) from None


def _result(simulation: Simulation, action: str, resource: str) -> Shape:
    request = Request(
        principal=simulation.principal,
        action=action,
        resource=resource,
        conditions=simulation.conditions,
    )
    policies = Policies(
        identity=[source.document for source in simulation.sources],
        boundary=simulation.boundary,
        resource=simulation.resource,
    )
    decision = evaluate(request, policies)
    denied = "explicit deny" in decision.reason
    shape: Shape = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": "allowed"
        if decision.allowed
        else ("explicitDeny" if denied else "implicitDeny"),
        "MatchedStatements": list(_matched(simulation.sources, request)),
        "MissingContextValues": _missing_keys(simulation),
    }
    if simulation.boundary is not None:
        within = evaluate(request, Policies(identity=[simulation.boundary])).allowed
        shape["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
    return shape


def _matched(sources: Iterable[Source], request: Request) -> Iterable[Shape]:
    """The policies of which a statement applies; where in the text it stands is not told."""
    for source in sources:
        decision = evaluate(request, Policies(identity=[source.document]))
        if decision.allowed or "explicit deny" in decision.reason:
            yield {"SourcePolicyId": source.id, "SourcePolicyType": source.type}


def _missing_keys(simulation: Simulation) -> Sequence[str]:
    """Condition keys that the policies ask about and nobody gave."""
    known = {key.lower() for key in simulation.conditions}
    known |= {key.lower() for key in principal_conditions(simulation.principal)}
    known.add("aws:resourceaccount")
    documents = [source.document for source in simulation.sources]
    documents += [each for each in (simulation.boundary, simulation.resource) if each is not None]
    asked = {
        condition.key
        for document in documents
        for statement in document.statements
        for condition in statement.conditions
    }
    return sorted(asked - known)


def _caller(context: Context, arn: str) -> Principal:
    """The user of this ARN, or nobody in particular."""
    if not arn:
        return Principal(account=context.account, arn="", user_id="", kind="user")
    user = _by_arn(context, USER, arn)
    if user is None:
        raise no_such_entity(f"The user with ARN {arn} cannot be found.")
    return user_principal(user, "")


def _of_principal(context: Context, request: Any) -> Simulation:
    arn = request["PolicySourceArn"]
    caller = request.get("CallerArn", "")
    group = _by_arn(context, GROUP, arn)
    if group is not None:
        sources = list(_sources(context, GROUP, group))
        return Simulation(principal=_caller(context, caller), sources=sources)
    user, role = _by_arn(context, USER, arn), _by_arn(context, ROLE, arn)
    if user is not None:
        sources = list(_sources(context, USER, user))
        for name in user.groups:
            sources += _sources(context, GROUP, require(context, GROUP, name))
        principal = user_principal(user, "")
    elif role is not None:
        sources = list(_sources(context, ROLE, role))
        principal = role_session(role, "simulation", context.now)
    else:
        raise no_such_entity(f"The entity with ARN {arn} cannot be found.")
    if caller:
        principal = _caller(context, caller)
    boundary = _boundary(context, user if user is not None else role)
    return Simulation(principal=principal, sources=sources, boundary=boundary)


def _boundary(context: Context, entity: iam.User | iam.Role | None) -> Document | None:
    if entity is None or not entity.boundary:
        return None
    text = document_of(context.tx, context.account, entity.boundary)
    return compiled(text) if text is not None else Document("2012-10-17", ())


def _by_arn(context: Context, noun: Noun[Entity], arn: str) -> Entity | None:
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam" or parsed.resource_type != noun.word:
        return None
    name = parsed.resource.rpartition("/")[2]
    found = find(context.tx, context.account, noun, name)
    return found if found is not None and found.arn == arn else None


def _sources(context: Context, noun: Noun[Entity], entity: Entity) -> Iterable[Source]:
    """An entity's inline and attached policies."""
    for name, text in entity.inline:
        yield Source(
            id=f"{noun.word}_{entity.name}_{name}",
            type=noun.title,
            document=compiled(text),
        )
    for arn in entity.attached:
        text = document_of(context.tx, context.account, arn) or ""
        if text:
            yield Source(id=arn.rpartition("/")[2], type="IAM Policy", document=compiled(text))


OPERATIONS: Mapping[str, Operation] = {
    "SimulateCustomPolicy": simulate_custom_policy,
    "SimulatePrincipalPolicy": simulate_principal_policy,
}
