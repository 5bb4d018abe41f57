"""SonarQube: components, and in `dynamic` the provider that Pulumi does not have."""
