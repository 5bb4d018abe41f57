"""The types and functions of the stand-in plugins, and why each is needed. A test fails for unneeded ones.

`python -m lab.plugins.needed` writes the list to docs/stand-ins.md. The kubernetes plugin is not in it, because it
accepts any kind.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import lab

PAGE: Final = Path(lab.__file__).resolve().parents[1] / "docs" / "stand-ins.md"
BEGIN: Final = "<!-- types and functions of plugins -->"
END: Final = "<!-- end of plugins -->"

#: The program registers or calls it for the sample tenants, with one of the settings files.
PROGRAM: Final = "program"
#: The program does not declare it. `usine drift --repair` adopts objects that were created outside the program, to
#: delete them.
DRIFT: Final = "drift"

#: Provider -> resource type, without the provider's name -> reason.
RESOURCES: Final[Mapping[str, Mapping[str, str]]] = {
    "vault": {
        "index/authBackend:AuthBackend": PROGRAM,
        "index/mount:Mount": PROGRAM,
        "index/policy:Policy": PROGRAM,
        "identity/group:Group": PROGRAM,
        "identity/groupAlias:GroupAlias": PROGRAM,
        "jwt/authBackend:AuthBackend": PROGRAM,
        "jwt/authBackendRole:AuthBackendRole": PROGRAM,
        "kubernetes/authBackendConfig:AuthBackendConfig": PROGRAM,
        "kubernetes/authBackendRole:AuthBackendRole": PROGRAM,
        "kv/secretV2:SecretV2": PROGRAM,
        "transit/secretBackendKey:SecretBackendKey": PROGRAM,
    },
    "keycloak": {
        "index/group:Group": PROGRAM,
        "index/groupMemberships:GroupMemberships": PROGRAM,
        "index/realm:Realm": PROGRAM,
        "index/role:Role": DRIFT,
        "index/user:User": PROGRAM,
        "openid/audienceProtocolMapper:AudienceProtocolMapper": PROGRAM,
        "openid/client:Client": PROGRAM,
        "openid/clientDefaultScopes:ClientDefaultScopes": PROGRAM,
        "openid/clientOptionalScopes:ClientOptionalScopes": PROGRAM,
        "openid/clientScope:ClientScope": PROGRAM,
        "openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper": PROGRAM,
        "openid/userAttributeProtocolMapper:UserAttributeProtocolMapper": DRIFT,
        "openid/userPropertyProtocolMapper:UserPropertyProtocolMapper": DRIFT,
    },
    "gitlab": {
        "index/branchProtection:BranchProtection": PROGRAM,
        "index/group:Group": PROGRAM,
        "index/groupAccessToken:GroupAccessToken": DRIFT,
        "index/groupDeployToken:GroupDeployToken": PROGRAM,
        "index/groupHook:GroupHook": DRIFT,
        "index/groupMembership:GroupMembership": PROGRAM,
        "index/groupShareGroup:GroupShareGroup": DRIFT,
        "index/groupVariable:GroupVariable": PROGRAM,
        "index/pipelineSchedule:PipelineSchedule": PROGRAM,
        "index/pipelineScheduleVariable:PipelineScheduleVariable": DRIFT,
        "index/project:Project": PROGRAM,
        "index/projectAccessToken:ProjectAccessToken": PROGRAM,
        "index/projectApprovalRule:ProjectApprovalRule": PROGRAM,
        "index/projectDeployToken:ProjectDeployToken": PROGRAM,
        "index/projectEnvironment:ProjectEnvironment": PROGRAM,
        "index/projectHook:ProjectHook": DRIFT,
        "index/projectJobTokenScopes:ProjectJobTokenScopes": PROGRAM,
        "index/projectLevelMrApprovals:ProjectLevelMrApprovals": PROGRAM,
        "index/projectMembership:ProjectMembership": DRIFT,
        "index/projectPackageProtectionRule:ProjectPackageProtectionRule": PROGRAM,
        "index/projectProtectedEnvironment:ProjectProtectedEnvironment": PROGRAM,
        "index/projectPushRules:ProjectPushRules": PROGRAM,
        "index/projectShareGroup:ProjectShareGroup": PROGRAM,
        "index/projectTag:ProjectTag": PROGRAM,
        "index/projectVariable:ProjectVariable": PROGRAM,
        "index/repositoryFile:RepositoryFile": PROGRAM,
        "index/tagProtection:TagProtection": PROGRAM,
        "index/user:User": PROGRAM,
        "index/userIdentity:UserIdentity": PROGRAM,
        "index/userRunner:UserRunner": PROGRAM,
    },
    "harbor": {
        "index/configAuth:ConfigAuth": PROGRAM,
        "index/configSystem:ConfigSystem": PROGRAM,
        "index/garbageCollection:GarbageCollection": PROGRAM,
        "index/immutableTagRule:ImmutableTagRule": PROGRAM,
        "index/interrogationServices:InterrogationServices": PROGRAM,
        "index/label:Label": DRIFT,
        "index/project:Project": PROGRAM,
        "index/projectMemberGroup:ProjectMemberGroup": PROGRAM,
        "index/projectWebhook:ProjectWebhook": DRIFT,
        "index/registry:Registry": PROGRAM,
        "index/retentionPolicy:RetentionPolicy": PROGRAM,
        "index/robotAccount:RobotAccount": PROGRAM,
    },
}
#: Provider -> function, without the provider's name -> reason.
FUNCTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "vault": {"index/getAuthBackend:getAuthBackend": PROGRAM},
    "keycloak": {"index/getUser:getUser": PROGRAM},
    "gitlab": {
        "index/getGroup:getGroup": PROGRAM,
        "index/getGroupMembership:getGroupMembership": PROGRAM,
        "index/getGroupVariable:getGroupVariable": PROGRAM,
        "index/getUser:getUser": PROGRAM,
        "index/getUsers:getUsers": PROGRAM,
    },
    "harbor": {},
}
#: The key of a provider's own settings in `UNSUPPORTED`.
CONFIG: Final = "config"
#: Provider -> resource type, function or type of a property, without the provider's name -> properties that only the
#: official plugin supports. The stand-in refuses them with their name: the program does not use them, and each would
#: need code.
UNSUPPORTED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "vault": {
        CONFIG: (
            "authLogin", "authLoginAws", "authLoginAzure", "authLoginCert", "authLoginGcp", "authLoginJwt",
            "authLoginKerberos", "authLoginOci", "authLoginOidc", "authLoginRadius", "authLoginTokenFile",
            "authLoginUserpass", "caCertDir", "clientAuth", "headers",
        ),
        "identity/group:Group": (
            "externalMemberEntityIds", "externalMemberGroupIds", "externalPolicies", "namespace",
        ),
        "identity/groupAlias:GroupAlias": ("namespace",),
        "index/authBackend:AuthBackend": ("disableRemount", "identityTokenKey", "namespace", "tune"),
        "index/getAuthBackend:getAuthBackend": ("namespace",),
        "index/mount:Mount": (
            "delegatedAuthAccessors", "externalEntropyAccess", "identityTokenKey", "namespace", "pluginVersion",
        ),
        "index/policy:Policy": ("allowOverwrite", "namespace"),
        "jwt/authBackend:AuthBackend": (
            "disableRemount", "jwksPairs", "namespace", "namespaceInState", "oidcClientSecretWo",
            "oidcClientSecretWoVersion", "providerConfig", "tune",
        ),
        "jwt/authBackendRole:AuthBackendRole": ("disableBoundClaimsParsing", "namespace"),
        "kubernetes/authBackendConfig:AuthBackendConfig": (
            "namespace", "pemKeys", "tokenReviewerJwtWo", "tokenReviewerJwtWoVersion",
        ),
        "kubernetes/authBackendRole:AuthBackendRole": ("namespace",),
        "kv/secretV2:SecretV2": (
            "cas", "customMetadata", "dataJsonWo", "dataJsonWoVersion", "disableRead", "namespace", "options",
        ),
        "transit/secretBackendKey:SecretBackendKey": (
            "context", "hybridKeyTypeEc", "hybridKeyTypePqc", "keySize", "managedKeyId", "managedKeyName", "namespace",
            "parameterSet",
        ),
    },
    "keycloak": {
        CONFIG: (
            "accessToken", "additionalHeaders", "adminUrl", "basePath", "initialLogin", "jwtSigningAlg",
            "jwtSigningKey", "jwtToken", "jwtTokenFile", "keycloakVersion", "redHatSso", "tlsClientCertificate",
            "tlsClientPrivateKey", "tlsInsecureSkipVerify",
        ),
        "index/RealmSecurityDefenses:RealmSecurityDefenses": ("headers",),
        "index/group:Group": ("organizationId",),
        "index/realm:Realm": (
            "accessCodeLifespan", "accessCodeLifespanLogin", "accessCodeLifespanUserAction", "accessTokenLifespan",
            "accessTokenLifespanForImplicitFlow", "accountTheme", "actionTokenGeneratedByAdminLifespan",
            "actionTokenGeneratedByUserLifespan", "adminTheme", "attributes", "browserFlow",
            "clientAuthenticationFlow", "clientSessionIdleTimeout", "clientSessionMaxLifespan",
            "defaultDefaultClientScopes", "defaultOptionalClientScopes", "directGrantFlow",
            "dockerAuthenticationFlow", "emailTheme", "firstBrokerLoginFlow", "internationalization", "loginTheme",
            "oauth2DeviceCodeLifespan", "offlineSessionIdleTimeout", "offlineSessionMaxLifespan", "otpPolicy",
            "registrationFlow", "resetCredentialsFlow", "smtpServer", "ssoSessionIdleTimeout",
            "ssoSessionIdleTimeoutRememberMe", "ssoSessionMaxLifespan", "ssoSessionMaxLifespanRememberMe",
            "terraformDeletionProtection", "webAuthnPasswordlessPolicy", "webAuthnPolicy",
        ),
        "index/role:Role": ("attributes", "compositeRoles", "import"),
        "index/user:User": ("federatedIdentities", "import", "initialPassword", "requiredActions"),
        "openid/audienceProtocolMapper:AudienceProtocolMapper": ("includedClientAudience",),
        "openid/client:Client": (
            "accessTokenLifespan", "allowRefreshTokenInStandardTokenExchange", "authenticationFlowBindingOverrides",
            "authorization", "backchannelLogoutRevokeOfflineSessions", "backchannelLogoutSessionRequired",
            "backchannelLogoutUrl", "clientOfflineSessionIdleTimeout", "clientOfflineSessionMaxLifespan",
            "clientSecretRegenerateWhenChanged", "clientSecretWo", "clientSecretWoVersion",
            "clientSessionIdleTimeout", "clientSessionMaxLifespan", "consentScreenText", "displayOnConsentScreen",
            "excludeIssuerFromAuthResponse", "excludeSessionStateFromAuthResponse", "extraConfig",
            "frontchannelLogoutUrl", "import", "loginTheme", "oauth2DeviceCodeLifespan",
            "oauth2DevicePollingInterval", "oauth2JwtAuthorizationGrantEnabled", "oauth2JwtAuthorizationGrantIdp",
            "requireDpopBoundTokens", "resourceServerId", "rootUrl", "standardTokenExchangeEnabled",
            "useRefreshTokens", "useRefreshTokensClientCredentials", "validPostLogoutRedirectUris",
        ),
        "openid/clientScope:ClientScope": ("consentScreenText", "extraConfig", "guiOrder"),
        "openid/userAttributeProtocolMapper:UserAttributeProtocolMapper": ("claimValueType",),
        "openid/userPropertyProtocolMapper:UserPropertyProtocolMapper": ("claimValueType",),
    },
    "gitlab": {
        CONFIG: ("cacertFile", "clientCert", "clientKey", "configFile", "context", "enableAutoCiSupport", "insecure"),
        "index/getGroup:getGroup": (
            "customAttributes", "defaultBranchProtectionDefaults", "pushRules", "sharedWithGroups", "statistics",
        ),
        "index/getGroupMembership:getGroupMembership": ("inherited",),
        "index/getGroupMembershipMember:getGroupMembershipMember": ("groupSamlIdentity",),
        "index/getUser:getUser": ("emailExactMatch", "namespaceId"),
        "index/group:Group": (
            "allowedEmailDomainsLists", "archiveOnDestroy", "avatar", "avatarHash", "defaultBranchProtectionDefaults",
            "ipRestrictionRanges", "permanentlyRemoveOnDelete", "pushRules",
        ),
        "index/groupAccessToken:GroupAccessToken": ("validatePastExpirationDate",),
        "index/groupDeployToken:GroupDeployToken": ("validatePastExpirationDate",),
        "index/groupHook:GroupHook": ("customHeaders", "signingToken", "urlVariables"),
        "index/groupMembership:GroupMembership": (
            "memberRoleId", "skipSubresourcesOnDestroy", "unassignIssuablesOnDestroy",
        ),
        "index/groupShareGroup:GroupShareGroup": ("memberRoleId",),
        "index/pipelineSchedule:PipelineSchedule": ("inputs",),
        "index/project:Project": (
            "archiveOnDestroy", "avatar", "avatarHash", "branches", "containerExpirationPolicy",
            "forkedFromProjectId", "groupWithProjectTemplatesId", "importUrl", "importUrlPassword",
            "importUrlUsername", "mrDefaultTargetSelf", "permanentlyDeleteOnDestroy",
            "preReceiveSecretDetectionEnabled", "publicBuilds", "publicJobs", "pushRules",
            "skipWaitForDefaultBranchProtection", "templateName", "templateProjectId", "useCustomTemplate",
        ),
        "index/projectAccessToken:ProjectAccessToken": ("validatePastExpirationDate",),
        "index/projectApprovalRule:ProjectApprovalRule": (
            "disableImportingDefaultAnyApproverRuleOnCreate", "reportType",
        ),
        "index/projectDeployToken:ProjectDeployToken": ("validatePastExpirationDate",),
        "index/projectEnvironment:ProjectEnvironment": (
            "autoStopSetting", "clusterAgentId", "fluxResourcePath", "kubernetesNamespace",
        ),
        "index/projectHook:ProjectHook": ("customHeaders", "signingToken", "urlVariables"),
        "index/projectLevelMrApprovals:ProjectLevelMrApprovals": ("selectiveCodeOwnerRemovals",),
        "index/projectMembership:ProjectMembership": ("memberRoleId",),
        "index/repositoryFile:RepositoryFile": (
            "createCommitMessage", "deleteCommitMessage", "executeFilemode", "startBranch", "updateCommitMessage",
        ),
        "index/user:User": ("isAuditor",),
    },
    "harbor": {
        CONFIG: ("bearerToken", "sessionId"),
        "index/RetentionPolicyRule:RetentionPolicyRule": (
            "alwaysRetain", "mostRecentlyPulled", "nDaysSinceLastPull", "repoExcluding", "tagExcluding",
        ),
        "index/configAuth:ConfigAuth": (
            "ldapBaseDn", "ldapFilter", "ldapGroupAdminDn", "ldapGroupBaseDn", "ldapGroupFilter", "ldapGroupGid",
            "ldapGroupMembership", "ldapGroupScope", "ldapGroupUid", "ldapScope", "ldapSearchDn",
            "ldapSearchPassword", "ldapUid", "ldapUrl", "ldapVerifyCert", "oidcGroupFilter",
        ),
        "index/configSystem:ConfigSystem": ("bannerMessage", "storagePerProject"),
        "index/immutableTagRule:ImmutableTagRule": ("repoExcluding", "tagExcluding"),
        "index/project:Project": ("cveAllowlists", "enableContentTrust", "enableContentTrustCosign"),
        "index/projectMemberGroup:ProjectMemberGroup": ("groupId", "ldapGroupDn"),
    },
}  # fmt: skip


def listing() -> str:
    """Return the table in docs/stand-ins.md: types and functions by provider and reason."""
    rows = []
    for provider, types in RESOURCES.items():
        supported = {**types, **FUNCTIONS[provider]}
        for need in dict.fromkeys(supported.values()):
            names = ", ".join(
                f"`{token.partition('/')[0]}/{_short(token)}`" for token in supported if supported[token] == need
            )
            rows.append(f"| {provider} | {names.replace('`index/', '`')} | {need} |")
    return "\n".join(("| provider | types and functions | needed by |", "| --- | --- | --- |", *rows))


def _short(token: str) -> str:
    return token.rpartition(":")[2]


def written(page: str) -> str:
    """Return the page with the current table."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{listing()}\n{END}{after}"


def main() -> int:
    """Write the table to the page."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
