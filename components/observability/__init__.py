"""Metrics, alerts and limits of logs, by the custom resources of the Prometheus operator."""
