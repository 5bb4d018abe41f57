"""The command `usine-ci` of the tools image, which the jobs of the catalogue run."""
