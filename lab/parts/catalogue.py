"""The parts of the local platform. A new one is an entry here, and a recipe only if none of these fits."""

from __future__ import annotations

from lab.parts.chromium import NpmChromium, why_chromium_is_not_made
from lab.parts.java import JavaJar
from lab.parts.official import why_pulumi_is_not_made
from lab.parts.part import Part
from lab.parts.recipes import GoBuild, GoModuleFiles, MavenZip

_PULUMI = "3.259.0"
_KUBERNETES = "1.36.0"
_ETCD = "3.6.16"
_REGISTRY = "3.1.2"
_KEYCLOAK = "26.4.0"
_ARGOCD = "3.5.7"
_SONARQUBE = "25.12.0.117093"  # the last that runs on Java 17
_SONAR_SCANNER = "7.3.0.5189"
_CHROMIUM = "153.0.0"

PARTS: tuple[Part, ...] = (
    # The longest first: the first two share the processors while the rest downloads.
    Part(
        name="kubernetes",
        version=_KUBERNETES,
        recipe=GoBuild(
            module="kubernetes",
            packages=("k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            variables=(("k8s.io/component-base/version.gitVersion", f"v{_KUBERNETES}"),),
        ),
        provides=("kube-apiserver", "kube-controller-manager"),
        about="API server and controllers, built from source: 5 to 10 minutes on 2 processors",
    ),
    Part(
        name="pulumi",
        version=_PULUMI,
        recipe=GoBuild(
            module="pulumi",
            packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
            # Without it the Automation API takes the program for a development build and refuses it.
            variables=(("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", f"v{_PULUMI}"),),
        ),
        provides=("pulumi",),
        about="the engine, built from source: 4 to 8 minutes on 2 processors",
        unneeded=why_pulumi_is_not_made,
    ),
    Part(
        name="keycloak",
        version=_KEYCLOAK,
        recipe=MavenZip(
            group="org.keycloak",
            artifact="keycloak-quarkus-dist",
            version=_KEYCLOAK,
            sha256="1b6a11a2726ac8a8dc9c91d5fafe989a75ce4f1622d7f7b45c21d5bc16629c0a",
        ),
        provides=("bin/kc.sh", "lib/quarkus-run.jar", "conf/keycloak.conf"),
        about="distribution of 160 MB, downloaded",
        runs_on=("java",),
    ),
    Part(
        name="sonarqube",
        version=_SONARQUBE,
        recipe=MavenZip(
            group="org.sonarsource.sonarqube",
            artifact="sonar-application",
            version=_SONARQUBE,
            sha256="09215f6f6a56db484946e4355c9801fa357eb92eedc99a2bebedf1d7ae21a341",
        ),
        provides=(
            f"lib/sonar-application-{_SONARQUBE}.jar",
            "elasticsearch/lib/elasticsearch-8.16.6.jar",
            "web/index.html",
        ),
        about="distribution of 900 MB, downloaded",
        runs_on=("java",),
    ),
    Part(
        name="sonarqube-oidc",
        version="1.0",
        # The community's plugin is in no package registry.
        recipe=JavaJar(
            module="sonarqube-oidc",
            compiler=(
                "org.eclipse.jdt:ecj:3.40.0:jar",
                "05cc22a24e7982970f63a405fc6c820bc80b806f27f3c5a6236fc475f8f7152b",
            ),
            libraries=(
                (
                    "org.sonarsource.api.plugin:sonar-plugin-api:13.4.2.4284:jar",
                    "44612e4a45889a38be04806521f4553fe7e088388f7f8a64b6e33cacbce3117c",
                ),
            ),
        ),
        provides=("sonarqube-oidc.jar",),
        about="SonarQube's log-in by OpenID Connect, compiled from source: seconds",
    ),
    Part(
        name="sonar-scanner",
        version=_SONAR_SCANNER,
        recipe=MavenZip(
            group="org.sonarsource.scanner.cli",
            artifact="sonar-scanner-cli",
            version=_SONAR_SCANNER,
            sha256="a251d0793cb6bd889e4fd30299bb5dc4e07433e57133b16fc227aca98f8d2c2d",
        ),
        provides=("bin/sonar-scanner", f"lib/sonar-scanner-cli-{_SONAR_SCANNER}.jar"),
        about="what a pipeline analyses code with, downloaded",
        runs_on=("java",),
    ),
    Part(
        name="etcd",
        version=_ETCD,
        # From its module: Debian's package needs root to install.
        recipe=GoBuild(module="etcd", packages=(".",)),
        provides=("etcd",),
        about="Kubernetes' store, built from source: 1 to 2 minutes on 2 processors",
    ),
    Part(
        name="registry",
        version=_REGISTRY,
        # From its module as well: Debian's package needs root to install, and brings cloud vendors' drivers.
        recipe=GoBuild(
            module="registry",
            packages=(".",),
            variables=(("github.com/distribution/distribution/v3/version.version", f"v{_REGISTRY}"),),
        ),
        provides=("registry",),
        about="the image registry behind Harbor, built from source: 1 to 2 minutes on 2 processors",
    ),
    Part(
        name="argocd",
        version=_ARGOCD,
        recipe=GoModuleFiles(
            module="github.com/argoproj/argo-cd/v3",
            version=f"v{_ARGOCD}",  # 3.6 asks for Go 1.27, which the other parts do not
            sum="h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=",
            files=(
                ("manifests/crds/*-crd.yaml", "crds"),
                ("manifests/base/config/argocd-cm.yaml", "."),
                ("manifests/base/config/argocd-rbac-cm.yaml", "."),
            ),
        ),
        provides=(
            "crds/application-crd.yaml",
            "crds/applicationset-crd.yaml",
            "crds/appproject-crd.yaml",
            "argocd-cm.yaml",
            "argocd-rbac-cm.yaml",
        ),
        about="custom resource definitions, downloaded",
    ),
    Part(
        name="pulumi-python",
        version=_PULUMI,
        recipe=GoModuleFiles(
            module="github.com/pulumi/pulumi/sdk/v3",
            version=f"v{_PULUMI}",
            sum="h1:mJP9tXF9oxcfwidBgteXkUUchIz2L59SbGS5byZBo1w=",
            files=(
                ("python/cmd/pulumi-language-python-exec", "."),
                ("python/dist/pulumi-resource-pulumi-python*", "."),
            ),
            executable=True,
        ),
        provides=("pulumi-language-python-exec", "pulumi-resource-pulumi-python"),
        about="scripts by which the engine runs Python, downloaded",
    ),
    Part(
        name="chromium",
        version=_CHROMIUM,
        recipe=NpmChromium(
            version=_CHROMIUM,
            sha256="20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0",
        ),
        provides=("bin/chromium", "lib/libnss3.so", "fonts/Open_Sans/OpenSans-Regular.ttf", "fonts.conf"),
        about="the browser of the page's tests, 70 MB, downloaded",
        on_request=True,
        unneeded=why_chromium_is_not_made,
    ),
)
