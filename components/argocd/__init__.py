"""Argo CD: its log-in and rights; each tenant's AppProjects, Applications and ApplicationSets."""
