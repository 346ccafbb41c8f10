"""Who acts, where and when."""

from dataclasses import dataclass

from longshore.base.ids import Ids
from longshore.base.installation import Installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a launch and an end need besides their transaction; `now` in epoch seconds."""

    account: str
    region: str
    now: float
    ids: Ids
    installation: Installation
    principal_arn: str = ""
    """Of whom it is done for."""

    @property
    def place(self) -> tuple[str, str]:
        """Account and region, as the store's keys have them."""
        return self.account, self.region
