"""The parts of the local platform. A new part is an entry here, and needs a new recipe only if none of these fits.

docs/parts.md lists the sources of the official releases' hashes. A part without a reliable hash has no release here:
every machine makes it by its recipe.
"""

from __future__ import annotations

from lab.parts.chromium import NpmChromium, why_chromium_is_not_made
from lab.parts.definitions import DEFINITIONS, FILES, plain
from lab.parts.examples import GO_COMMANDS, GO_TOOLS, JACOCO, ExampleDependencies, GoBuildCache, locks_digest
from lab.parts.java import JavaJar
from lab.parts.job_tools import ARGOCD_PROGRAM, DATABASE_WRITER, JOB_TOOLS, MONITORING_SERVERS, MONITORING_TOOLS
from lab.parts.official import why_pulumi_is_not_made
from lab.parts.part import Part
from lab.parts.recipes import GoBuild, GoModuleFiles, MavenZip
from lab.parts.releases import ANY, Download, Release

_PULUMI = "3.259.0"
_KUBERNETES = "1.36.0"
_ETCD = "3.6.16"
_ETCD_RELEASE = "3.6.14"  # newest version with known hashes; etcd 3.6 data is compatible
_REGISTRY = "3.1.2"
_KEYCLOAK = "26.4.0"
_SONARQUBE = "25.12.0.117093"  # last version that runs on Java 17
_SONAR_SCANNER = "7.3.0.5189"
_CHROMIUM = "153.0.0"

_SONARQUBE_API = f"lib/sonar-application-{_SONARQUBE}.jar"
_SONARQUBE_COMPILER = "lib/extensions/sonar-java-plugin-8.22.0.41895.jar"  # contains Eclipse's Java compiler

# The same files at the publisher and in the registry.
_KEYCLOAK_ZIP = "1b6a11a2726ac8a8dc9c91d5fafe989a75ce4f1622d7f7b45c21d5bc16629c0a"
_SONARQUBE_ZIP = "09215f6f6a56db484946e4355c9801fa357eb92eedc99a2bebedf1d7ae21a341"
_SONAR_SCANNER_ZIP = "a251d0793cb6bd889e4fd30299bb5dc4e07433e57133b16fc227aca98f8d2c2d"

_GITHUB = "https://github.com"
_KUBERNETES_FILES = f"https://dl.k8s.io/release/v{_KUBERNETES}/bin/linux/{{arch}}"
_SONAR_FILES = "https://binaries.sonarsource.com/Distribution"
_PULUMI_FILES = f"{FILES}/pulumi/pulumi/refs/tags/sdk/v{_PULUMI}/sdk/python"


PARTS: tuple[Part, ...] = (
    # Longest builds first: the first two use the processors while the others download.
    Part(
        name="kubernetes",
        version=_KUBERNETES,
        recipe=GoBuild(
            module="kubernetes",
            packages=("k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            variables=(("k8s.io/component-base/version.gitVersion", f"v{_KUBERNETES}"),),
        ),
        provides=("kube-apiserver", "kube-controller-manager"),
        about="API server and controllers; 5 to 10 minutes on 2 processors where they are built",
        megabytes=150,
        minutes=8,
        official=Release(
            _KUBERNETES,
            (
                Download(
                    f"{_KUBERNETES_FILES}/kube-apiserver",
                    (
                        ("amd64", "8116b8f13d1c8bbbbba0599fff1a27959f2a13b6cbb18c4efad5f9777c0a839c"),
                        ("arm64", "f622843949492d97183dadf883b57ee96afcf04e19cc6799388eed5a08594965"),
                    ),
                    megabytes=105,
                    executable=True,
                ),
                Download(
                    f"{_KUBERNETES_FILES}/kube-controller-manager",
                    (
                        ("amd64", "b15888043ee37302ce8fef36af5ae2b8470b3eba22a034d3573479daff33f6f0"),
                        ("arm64", "7ee96f14ddc2a9503235dd20356ba0212193908f03c21548b47640ff0d00eea4"),
                    ),
                    megabytes=95,
                    executable=True,
                ),
            ),
        ),
    ),
    Part(
        name="pulumi",
        version=_PULUMI,
        recipe=GoBuild(
            module="pulumi",
            packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
            # Without a version, the Automation API refuses the program as a development build.
            variables=(("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", f"v{_PULUMI}"),),
        ),
        provides=("pulumi",),
        about="the engine; 4 to 8 minutes on 2 processors where it is built",
        megabytes=150,
        minutes=6,
        official=Release(
            _PULUMI,
            (
                Download(
                    f"https://get.pulumi.com/releases/sdk/pulumi-v{_PULUMI}-linux-{{arch}}.tar.gz",
                    (
                        ("x64", "94ba357acac23d01474084c4b00098dc0f7bc70ce13f34c777459254a5f718e5"),
                        ("arm64", "edc8327463a72160bb36cf82cf5062da9c8a244290a706d9980988e7bf486853"),
                    ),
                    megabytes=150,
                    members=(("pulumi/pulumi", "pulumi"),),
                ),
            ),
        ),
        unneeded=why_pulumi_is_not_made,
    ),
    Part(
        name="keycloak",
        version=_KEYCLOAK,
        recipe=MavenZip(
            group="org.keycloak",
            artifact="keycloak-quarkus-dist",
            version=_KEYCLOAK,
            sha256=_KEYCLOAK_ZIP,
        ),
        provides=("bin/kc.sh", "lib/quarkus-run.jar", "conf/keycloak.conf"),
        about="distribution of 160 MB, downloaded",
        megabytes=160,
        official=Release(
            _KEYCLOAK,
            (
                Download(
                    f"{_GITHUB}/keycloak/keycloak/releases/download/{_KEYCLOAK}/keycloak-{_KEYCLOAK}.zip",
                    ((ANY, _KEYCLOAK_ZIP),),
                    megabytes=160,
                ),
            ),
        ),
        runs_on=("java",),
    ),
    Part(
        name="sonarqube",
        version=_SONARQUBE,
        recipe=MavenZip(
            group="org.sonarsource.sonarqube",
            artifact="sonar-application",
            version=_SONARQUBE,
            sha256=_SONARQUBE_ZIP,
        ),
        provides=(
            _SONARQUBE_API,
            _SONARQUBE_COMPILER,
            "elasticsearch/lib/elasticsearch-8.16.6.jar",
            "web/index.html",
        ),
        about="distribution of 900 MB, downloaded",
        megabytes=900,
        official=Release(
            _SONARQUBE,
            (
                Download(
                    f"{_SONAR_FILES}/sonarqube/sonarqube-{_SONARQUBE}.zip", ((ANY, _SONARQUBE_ZIP),), megabytes=900
                ),
            ),
        ),
        runs_on=("java",),
    ),
    Part(
        name="sonarqube-oidc",
        version="1.0",
        # The community's plugin is not in any package registry.
        recipe=JavaJar(
            module="sonarqube-oidc", part="sonarqube", compiler=_SONARQUBE_COMPILER, libraries=(_SONARQUBE_API,)
        ),
        provides=("sonarqube-oidc.jar",),
        about="SonarQube's log-in by OpenID Connect, compiled from source: seconds",
        minutes=0.1,
        needs=("sonarqube",),
    ),
    Part(
        name="sonar-scanner",
        version=_SONAR_SCANNER,
        recipe=MavenZip(
            group="org.sonarsource.scanner.cli",
            artifact="sonar-scanner-cli",
            version=_SONAR_SCANNER,
            sha256=_SONAR_SCANNER_ZIP,
        ),
        provides=("bin/sonar-scanner", f"lib/sonar-scanner-cli-{_SONAR_SCANNER}.jar"),
        about="the scanner with which pipelines analyse code, downloaded",
        megabytes=12,
        official=Release(
            _SONAR_SCANNER,
            (
                Download(
                    f"{_SONAR_FILES}/sonar-scanner-cli/sonar-scanner-cli-{_SONAR_SCANNER}.zip",
                    ((ANY, _SONAR_SCANNER_ZIP),),
                    megabytes=12,
                ),
            ),
        ),
        runs_on=("java",),
    ),
    Part(
        name="etcd",
        version=_ETCD,
        # Built from its module, because the installation of Debian's package needs root.
        recipe=GoBuild(module="etcd", packages=(".",)),
        provides=("etcd",),
        about="Kubernetes' store; 1 to 2 minutes on 2 processors where it is built",
        megabytes=20,
        minutes=1.5,
        official=Release(
            _ETCD_RELEASE,
            (
                Download(
                    f"{_GITHUB}/etcd-io/etcd/releases/download/v{_ETCD_RELEASE}"
                    f"/etcd-v{_ETCD_RELEASE}-linux-{{arch}}.tar.gz",
                    (
                        ("amd64", "ffe840ff9295808e88cce2794a18a5ac87f12a5203c8314d0bf6aa119b41bac5"),
                        ("arm64", "fa1b80565ee6fc2df1ae6f57a508b221f3ecc7d591c317c581cd8281b0842b3e"),
                    ),
                    megabytes=25,
                    members=((f"etcd-v{_ETCD_RELEASE}-linux-{{arch}}/etcd", "etcd"),),
                ),
            ),
        ),
    ),
    Part(
        name="registry",
        version=_REGISTRY,
        # Built from its module, because the installation of Debian's package needs root and adds cloud drivers.
        recipe=GoBuild(
            module="registry",
            packages=(".",),
            variables=(("github.com/distribution/distribution/v3/version.version", f"v{_REGISTRY}"),),
        ),
        provides=("registry",),
        about="the image registry behind Harbor; 1 to 2 minutes on 2 processors where it is built",
        megabytes=20,
        minutes=1.5,
        official=Release(
            _REGISTRY,
            (
                Download(
                    f"{_GITHUB}/distribution/distribution/releases/download/v{_REGISTRY}"
                    f"/registry_{_REGISTRY}_linux_{{arch}}.tar.gz",
                    (
                        ("amd64", "40df2224d410f72ae425c3371873b078bbdbda3b8b612be9571f0e6751f3acc8"),
                        ("arm64", "09d26f88d2c0f161bd1b8bfc6c123571cc3d291dcca8af5477b3cacc4ec95e73"),
                    ),
                    megabytes=20,
                    members=(("registry", "registry"),),
                ),
            ),
        ),
    ),
    *DEFINITIONS,
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
        about="scripts with which the engine runs Python, downloaded",
        megabytes=7,
        official=Release(
            _PULUMI,
            (
                plain(
                    f"{_PULUMI_FILES}/cmd/pulumi-language-python-exec",
                    "f33d1a121a49d5b042b472990f56de858a35ec12a7f9c67e620519fd86c8a37d",
                    "pulumi-language-python-exec",
                    executable=True,
                ),
                plain(
                    f"{_PULUMI_FILES}/dist/pulumi-resource-pulumi-python",
                    "1710c9875292c6a1d399d9e27fa9cf2917f2335bc6ef5abcab96220c4485e215",
                    "pulumi-resource-pulumi-python",
                    executable=True,
                ),
            ),
        ),
    ),
    Part(
        name="chromium",
        version=_CHROMIUM,
        recipe=NpmChromium(
            version=_CHROMIUM,
            sha256="20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0",
        ),
        provides=("bin/chromium", "lib/libnss3.so", "fonts/Open_Sans/OpenSans-Regular.ttf", "fonts.conf"),
        about="the browser for the tests of the HTML page, 70 MB, downloaded",
        megabytes=70,
        on_request=True,
        unneeded=why_chromium_is_not_made,
    ),
    Part(
        name="examples",
        version="2",
        recipe=ExampleDependencies(locks=locks_digest(), jacoco=JACOCO, go_tools=GO_TOOLS),
        provides=("wheels", "npm/_cacache", "maven/org/jacoco", "go/gotest.tools"),
        about="dependencies of the examples, for tests of pipelines without a network, downloaded",
        megabytes=75,
        minutes=0.5,
        on_request=True,
    ),
    Part(
        name="go-build-cache",
        version="1",
        recipe=GoBuildCache(locks=locks_digest(), commands=repr(GO_COMMANDS)),
        provides=("cache",),
        about="Go's standard library, compiled as the preset go needs it, for tests of pipelines",
        minutes=1.5,
        needs=("examples",),
        on_request=True,
    ),
    *JOB_TOOLS,
    DATABASE_WRITER,
    MONITORING_TOOLS,
    MONITORING_SERVERS,
    ARGOCD_PROGRAM,
)
