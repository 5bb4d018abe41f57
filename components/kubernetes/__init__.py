"""Kubernetes: cluster roles, admission policies and tenant namespaces."""
