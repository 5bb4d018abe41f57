"""The matrix of rights: asks the servers what each person, pipeline, workload and robot of several tenants may do."""
