"""Tests of the stand-in GitLab with python-gitlab, git and a fuzzer."""
