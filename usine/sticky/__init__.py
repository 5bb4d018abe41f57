"""Keeps one text in one place in GitLab: a comment on a merge request, an issue about drift."""
