"""SonarQube: the components, and in `dynamic` the provider, because Pulumi has none for SonarQube."""
