"""Fixtures, clients and servers for tests on the local platform, of the lab and of the product."""
