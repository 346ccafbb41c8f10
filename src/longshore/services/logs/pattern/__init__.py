"""CloudWatch's filter patterns ("Filter pattern syntax", CloudWatch Logs user guide).

Enters: the text of a pattern. Leaves: a `Pattern` that says of each message whether it matches.
Three forms: terms (`ERROR -"retry later"`), JSON (`{ $.status = 5* }`), columns
(`[ip, status=4*]`).
"""

from longshore.services.logs.pattern.allowance import Allowance, TooSlow
from longshore.services.logs.pattern.columns import parse_columns
from longshore.services.logs.pattern.interface import InvalidPattern, Pattern
from longshore.services.logs.pattern.json import parse_json
from longshore.services.logs.pattern.terms import parse_terms

__all__ = ["Allowance", "InvalidPattern", "Pattern", "TooSlow", "parse_pattern"]


def parse_pattern(text: str, allowance: Allowance) -> Pattern:
    """The pattern that `text` spells; raises `InvalidPattern`. An empty one matches everything.

    Its regular expressions share the time of `allowance`.
    """
    stripped = text.strip()
    if stripped.startswith("{"):
        return parse_json(stripped, allowance)
    if stripped.startswith("["):
        return parse_columns(stripped, allowance)
    return parse_terms(stripped, allowance)
