"""What stays in one place in GitLab: one comment on a merge request, one issue about drift. Updated, never doubled."""
