"""CloudWatch's filter patterns ("Filter pattern syntax", CloudWatch Logs user guide).

Enters: the text of a pattern. Leaves: a `Pattern` that says of each message whether it matches.
Three forms: terms (`ERROR -"retry later"`), JSON (`{ $.status = 5* }`), columns
(`[ip, status=4*]`).
"""

from longshore.services.logs.pattern.columns import parse_columns
from longshore.services.logs.pattern.interface import InvalidPattern, Pattern
from longshore.services.logs.pattern.json import parse_json
from longshore.services.logs.pattern.terms import parse_terms

__all__ = ["InvalidPattern", "Pattern", "parse_pattern"]


def parse_pattern(text: str) -> Pattern:
    """The pattern that `text` spells; raises `InvalidPattern`. An empty one matches everything."""
    stripped = text.strip()
    if stripped.startswith("{"):
        return parse_json(stripped)
    if stripped.startswith("["):
        return parse_columns(stripped)
    return parse_terms(stripped)
