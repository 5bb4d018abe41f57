"""The matrix: what each person, pipeline, workload and robot of several tenants may do, asked of the servers."""
