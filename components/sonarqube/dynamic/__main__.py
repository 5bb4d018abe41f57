"""`python -m components.sonarqube.dynamic TYPE ID NAME --url URL`: write an import file for an existing object.

The file is for `pulumi import --file`; the package's docstring gives the reason. It does not contain secrets, which
SonarQube does not show: the next `up` sets them, and replaces an analysis token.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pulumi.dynamic.dynamic import PROVIDER_KEY, serialize_provider

from components.sonarqube.dynamic.api import Client, SonarError
from components.sonarqube.dynamic.kind import Properties
from components.sonarqube.dynamic.provider import KINDS, TYPE_PREFIX, inputs_of, provider_of


def import_entry(client: Client, kind: str, id_: str, name: str) -> Properties:
    """Return the entry of an import file for the object with this id. Raises SonarError if there is none."""
    outs = KINDS[kind].read(client, id_, {})
    if outs is None:
        raise SonarError(f"SonarQube has no {kind} {id_}")
    code = {PROVIDER_KEY: serialize_provider(provider_of(kind))}
    return {
        "type": f"{TYPE_PREFIX}{kind}",
        "name": name,
        "id": id_,
        "inputs": {**inputs_of(KINDS[kind], outs), **code},
        "outputs": {**outs, **code},
    }


def main() -> int:
    """Run the command. Returns exit code 0, or 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m components.sonarqube.dynamic", description=__doc__)
    parser.add_argument("type", choices=sorted(KINDS))
    parser.add_argument("id", help="see the type's documentation in components/sonarqube/dynamic/resources.py")
    parser.add_argument("name", help="the logical name of the resource in the program")
    parser.add_argument("--url", required=True, help="SonarQube's address; the token is read from SONAR_TOKEN")
    parser.add_argument("--ca", type=Path, help="PEM file of the certificate authority to trust for it")
    parser.add_argument("--parent", help="URN of its parent, as in `pulumi stack --show-urns`")
    parser.add_argument("--provider", help="URN of its explicit provider")
    given = parser.parse_args()
    try:
        client = Client(given.url, given.ca.read_text(encoding="ascii") if given.ca else None)
        entry = import_entry(client, given.type, given.id, given.name)
    except (SonarError, OSError, UnicodeDecodeError) as error:
        print(error, file=sys.stderr)
        return 1
    urns = {role: urn for role in ("parent", "provider") if (urn := getattr(given, role))}
    json.dump({"nameTable": urns, "resources": [{**entry, **{role: role for role in urns}}]}, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
