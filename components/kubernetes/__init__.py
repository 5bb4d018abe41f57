"""Kubernetes: cluster roles, admission policies, namespaces."""
