"""Driving the real `pulumi`: locks and pending operations of a killed run, the run itself, and its report."""
