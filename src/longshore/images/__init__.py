"""Repositories and images as records: what the ECR API and the OCI registry have in common.

Enters: transactions on the store, manifests as bytes. Leaves: records of `model/ecr.py`, staged;
`AwsError` with ECR's codes and wordings, which the registry translates into OCI's. Knows nothing of
HTTP and nothing of where blobs lie. `layout` writes images for Longshore itself to push.
"""
