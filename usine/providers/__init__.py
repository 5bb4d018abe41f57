"""Facts about Pulumi providers: their plugins' versions and credentials, and what their resource types stand for."""
