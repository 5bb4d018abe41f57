"""Tests of the stand-in servers with the clients of the real servers."""
