"""IAM policy documents and their evaluation: pure, no store, no clock.

Enters: policy documents (JSON) and one request (principal, action, resource, condition keys).
Leaves: `Decision`. `document.py` reads, `condition.py` has the operators, `evaluation.py` decides.
"""
