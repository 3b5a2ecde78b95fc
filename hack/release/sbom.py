#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists what the program is made of, as CycloneDX 1.5: every crate that is linked into it for one target.

    sbom.py TARGET

prints the list. Cargo fetches the crates of that target that it does not have yet: it reads their licenses."""

import json
import os
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout)


def linked(found):
    """The packages that the program needs, without those that only its tests do."""
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    root = found["resolve"]["root"]
    seen, left = {root}, [root]
    while left:
        for dependency in nodes[left.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_linked and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                left.append(dependency["pkg"])
    return root, seen, nodes


def component(package, kind="library"):
    reference = f"pkg:cargo/{package['name']}@{package['version']}"
    described = {"type": kind, "bom-ref": reference, "name": package["name"], "version": package["version"], "purl": reference}
    if package.get("license"):
        described["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    return described


def main(target):
    found = metadata(target)
    root, needed, nodes = linked(found)
    packages = {package["id"]: package for package in found["packages"] if package["id"] in needed}
    reference = {name: component(package)["bom-ref"] for name, package in packages.items()}
    others = sorted((packages[name] for name in needed if name != root), key=lambda package: (package["name"], package["version"]))
    dependencies = [
        {"ref": reference[name], "dependsOn": sorted({reference[dep["pkg"]] for dep in nodes[name]["deps"] if dep["pkg"] in needed} - {reference[name]})}
        for name in sorted(needed, key=reference.get)
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(packages[root], "application")},
        "components": [component(package) for package in others],
        "dependencies": dependencies,
    }
    json.dump(document, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
