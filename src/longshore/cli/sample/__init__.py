"""`longshore sample`: a small web service, deployed as anyone would deploy one.

Enters: the endpoint and the administrator's key. Leaves: an image in ECR, a Fargate service of two
tasks in two AZs, and the address of one of them. `root/` holds the files of the image.
"""

from longshore.cli.sample.command import application

__all__ = ["application"]
