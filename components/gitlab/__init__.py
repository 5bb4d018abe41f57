"""GitLab: groups, projects, accounts, the CI catalogue."""
