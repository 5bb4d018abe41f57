"""GitLab: groups, projects, accounts and the CI catalogue."""
