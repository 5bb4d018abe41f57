"""The tenant file: its model, its checks, and the platform settings it is checked against."""
