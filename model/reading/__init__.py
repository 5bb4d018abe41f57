"""From YAML to the types of `model`: tenant files, settings, waivers, drift ignores, with every check of them."""
