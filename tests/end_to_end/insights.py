"""What insights say of a cluster now."""

from longshore.testing.wait import wait_until

REFRESH_SECONDS = 60


def statuses(eks, cluster, category):
    """Statuses by the names of insights, after a refresh."""
    eks.start_insights_refresh(clusterName=cluster)

    def is_refreshed():
        told = eks.describe_insights_refresh(clusterName=cluster)
        assert told["status"] != "FAILED", told
        return told["status"] == "COMPLETED"

    wait_until(is_refreshed, REFRESH_SECONDS, "the insights are refreshed")
    found = eks.list_insights(clusterName=cluster, filter={"categories": [category]})["insights"]
    return {each["name"]: each["insightStatus"]["status"] for each in found}
