"""Vault (OpenBao): auth back ends, mounts, policies."""
