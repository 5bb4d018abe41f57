"""Vault (OpenBao): auth back ends, and each tenant's mount, policies and roles."""
