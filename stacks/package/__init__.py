"""The component package: components that programs in any of Pulumi's languages use (`PulumiPlugin.yaml`)."""
