#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what package managers read about the archives of a release, with their digests.

    manifests.py DIRECTORY REPOSITORY

reads DIRECTORY/transship_VERSION_SYSTEM_ARCHITECTURE.tar.gz, which will be among the releases of REPOSITORY, and writes SHA256SUMS, krew.yaml (a plugin
of kubectl) and transship.rb (Homebrew) beside them. An archive that is not there is not named: a release has all four."""

import glob
import hashlib
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = re.compile(r"transship_(.+)_(linux|darwin)_(amd64|arm64)\.tar\.gz")
# How Homebrew calls them.
SYSTEMS = {"darwin": "on_macos", "linux": "on_linux"}
ARCHITECTURES = {"amd64": "on_intel", "arm64": "on_arm"}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def template(name, values):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        text = file.read()
    return re.sub(r"@(\w+)@", lambda found: values[found.group(1)], text)


def main(directory, repository):
    archives = []
    for path in sorted(glob.glob(os.path.join(directory, "transship_*.tar.gz"))):
        found = NAME.fullmatch(os.path.basename(path))
        if found:
            archives.append((*found.groups(), os.path.basename(path), digest(path)))
    versions = {archive[0] for archive in archives}
    if len(versions) != 1:
        sys.exit(f"{directory} has archives of these versions, and should have those of one: {sorted(versions)}")
    repository, version = repository.rstrip("/"), versions.pop()
    url = f"{repository}/releases/download/v{version}"
    values = {"version": version, "repository": repository, "platforms": "", "systems": ""}
    for system, block in SYSTEMS.items():
        of_system = [archive for archive in archives if archive[1] == system]
        if not of_system:
            continue
        values["systems"] += f"\n  {block} do\n"
        for _, _, architecture, name, sha256 in of_system:
            fields = {"system": system, "architecture": architecture, "url": f"{url}/{name}", "sha256": sha256}
            values["platforms"] += template("krew-platform.yaml.in", fields)
            fields["block"] = ARCHITECTURES[architecture]
            values["systems"] += template("homebrew-architecture.rb.in", fields)
        values["systems"] += "  end\n"
    for name, source in (("krew.yaml", "krew.yaml.in"), ("transship.rb", "homebrew.rb.in")):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(template(source, values))
    released = sorted(name for name in os.listdir(directory) if name != "SHA256SUMS" and not name.endswith(".sigstore.json"))
    with open(os.path.join(directory, "SHA256SUMS"), "w", encoding="utf-8") as file:
        for name in released:
            file.write(f"{digest(os.path.join(directory, name))}  {name}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
