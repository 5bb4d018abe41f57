"""Rotation of stored credentials by generation, and revocation of one credential at once."""
