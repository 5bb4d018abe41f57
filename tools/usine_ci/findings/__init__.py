"""What scanners find: parsers of their reports, waivers, the threshold, and reports for GitLab and for people."""
