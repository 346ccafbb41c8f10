"""What keeps a node group from being as it is asked for: codes of `NodegroupIssueCode`."""

from longshore.model.eks import Issue


class Trouble(Exception):
    """Nodes cannot be launched as they are asked for."""

    def __init__(self, code: str, message: str, *resources: str) -> None:
        super().__init__(f"{code}: {message}")
        self.issue = Issue(code, message, tuple(resources))
