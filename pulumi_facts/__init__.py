"""Facts about Pulumi and its providers: what the engine writes, and what resource types and plugins are."""
