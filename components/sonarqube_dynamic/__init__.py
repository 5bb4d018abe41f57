"""The name of SonarQube's dynamic provider in states; the code is in `components.sonarqube.dynamic`."""
