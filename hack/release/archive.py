#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packs the program for one system, as it is downloaded: with its manual pages and completions.

    archive.py PROGRAM SYSTEM ARCHITECTURE DIRECTORY

writes DIRECTORY/transship_VERSION_SYSTEM_ARCHITECTURE.tar.gz. The same program gives the same bytes: names are sorted, and
times and owners are those of nobody."""

import gzip
import io
import os
import re
import subprocess
import sys
import tarfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# Where shells look for them, by the name that they have there.
COMPLETIONS = {"bash": "transship.bash", "zsh": "_transship", "fish": "transship.fish"}


def version():
    with open(os.path.join(ROOT, "Cargo.toml"), encoding="utf-8") as file:
        return re.search(r'^version = "(.*)"$', file.read(), re.M).group(1)


def said(program, *arguments):
    return subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE).stdout


def commands(program):
    """The commands that the program lists in its help."""
    help_text = said(program, "--help").decode()
    listed = help_text.split("Commands:\n", 1)[1].split("\n\n", 1)[0]
    names = re.findall(r"^  ([a-z][a-z-]*)(?:\s|$)", listed, re.M)
    return [name for name in names if name != "help"]


def contents(program):
    """What is in the archive: names, bytes and rights."""
    with open(program, "rb") as file:
        yield "transship", file.read(), 0o755
    for name in ("LICENSE", "README.md", "CHANGELOG.md"):
        with open(os.path.join(ROOT, name), "rb") as file:
            yield name, file.read(), 0o644
    yield "man/transship.1", said(program, "man"), 0o644
    for command in commands(program):
        yield f"man/transship-{command}.1", said(program, "man", command), 0o644
    for shell, name in COMPLETIONS.items():
        yield f"completions/{name}", said(program, "completions", shell), 0o644


def main(program, system, architecture, directory):
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"transship_{version()}_{system}_{architecture}.tar.gz")
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, content, rights in sorted(contents(program)):
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(content), rights
                archive.addfile(member, io.BytesIO(content))
    print(path)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
