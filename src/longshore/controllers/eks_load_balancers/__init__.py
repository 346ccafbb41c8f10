"""Services of type LoadBalancer of EKS clusters: each has a Network Load Balancer (decision 0110).

Enters: the Services, Nodes and EndpointSlices of clusters that run, as their API servers tell them.
Leaves: load balancers, target groups, listeners and security groups of the cluster's account, a
rule in the cluster security group, the Service's status, its finalizer, events; and nothing of all
that once the Service or the cluster is gone.
"""

from longshore.controllers.eks_load_balancers.controller import EksLoadBalancers

__all__ = ["EksLoadBalancers"]
