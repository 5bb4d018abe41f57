"""The stand-in GitLab, driven by python-gitlab, git and a fuzzer."""
