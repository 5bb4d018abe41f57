"""SonarQube as Pulumi resources: dynamic providers that use its Web API. Pulumi has no plugin for SonarQube.

Programs use `resources`; `provider` runs in the engine's plugin process; `__main__` writes import files. ::

    from components.sonarqube.dynamic.resources import *

    provider = sonarqube_provider("sonarqube", url="https://sonar.example.gouv.fr")   # token: SONAR_TOKEN
    opts = pulumi.ResourceOptions(provider=provider)

    # Foundation: only administrators create projects and analyse any project; log-in by OpenID Connect.
    GlobalPermissions("global", GlobalPermissionsArgs(groups={"sonar-administrators": ["admin", ...]}), opts)
    QualityGate("platform", QualityGateArgs("platform", [Condition("new_coverage", "LT", 80)], default=True), opts)
    ServerSettings("oidc", ServerSettingsArgs(
        values={"sonar.core.serverBaseURL": url, "sonar.auth.oidc.enabled": "true", ...},
        secured={"sonar.auth.oidc.clientSecret.secured": client.client_secret}), opts)

    # A tenant's application.
    devs = Group("teleservice/developer", GroupArgs("/teleservice/developer"), opts)
    app = Project("teleservice/app", ProjectArgs("teleservice--app", "app"), protected)
    account = TechnicalAccount("teleservice", TechnicalAccountArgs("usine.teleservice", "analyses"), opts)
    ProjectPermissions("teleservice/app", ProjectPermissionsArgs(
        app.key, {"sonar-administrators": ["admin"], "/teleservice/developer": ["user", ...]},
        {"usine.teleservice": ["scan"]}), pulumi.ResourceOptions(provider=provider, depends_on=[devs, account]))
    until = ProjectAnalysisTokenArgs("usine", account.login, "2027-03-31")
    token = ProjectAnalysisToken("teleservice/app", until, opts)
    QualityGateAssociation("teleservice/app", QualityGateAssociationArgs(app.key, "platform"), opts)
    NewCodePeriod("teleservice/app", NewCodePeriodArgs(app.key, "NUMBER_OF_DAYS", 30), opts)
    # token.token is always a Pulumi secret; the platform writes it to Vault.

The engine's `import` option and plain `pulumi import TYPE NAME ID` do not work for dynamic providers: the engine reads
the object before the plugin knows which code to run. An import file with the whole state does work. Write it with ::

    python -m components.sonarqube.dynamic Project teleservice--app teleservice/app --url URL > import.json
    pulumi import --file import.json
"""
