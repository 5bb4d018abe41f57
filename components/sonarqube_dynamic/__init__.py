"""The name under which states know SonarQube's dynamic provider; the code is in `components.sonarqube.dynamic`."""
