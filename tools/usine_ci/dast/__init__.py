"""Dynamic analysis of the tenant's own environments: what to scan, with which scanner, and what it found."""
