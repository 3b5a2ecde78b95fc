#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes examples/quickstart/source: two tiny repositories as OCI image layouts.

    hack/make-sample.py [DIRECTORY]

Every run on every machine gives the same bytes: times are fixed, and layers are packed without
compression, whose result differs between versions of zlib. Only the standard library is used.

    demo/hello   1.0.0  1.1.0=latest  2.0.0-rc.1: indexes of three platforms and an attestation.
                 1.1.0 has a signature as a referrer, 1.0.0 one under a cosign tag. Both made up.
    demo/tools   1.0.0  latest: plain images that share a layer with each other and with demo/hello.
"""

import binascii
import hashlib
import json
import shutil
import struct
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "examples" / "quickstart" / "source"

CREATED = "2024-01-01T00:00:00Z"
PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm/v7"]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"


class Repository:
    """One layout: blobs by digest, and the entries of its index.json."""

    def __init__(self, directory):
        self.blobs = directory / "blobs" / "sha256"
        self.directory = directory
        self.entries = []
        self.blobs.mkdir(parents=True)

    def add(self, media_type, content, **more):
        """Stores a blob, and gives the descriptor that refers to it."""
        digest = sha256(content)
        (self.blobs / digest.removeprefix("sha256:")).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def add_manifest(self, config, layers, **more):
        document = {"schemaVersion": 2, "mediaType": MANIFEST, **more, "config": config, "layers": layers}
        return self.add(MANIFEST, to_json(document))

    def list_manifest(self, manifest, *tags):
        """Lists a manifest in index.json: once for each tag, or once without one."""
        for tag in tags:
            name = {"org.opencontainers.image.ref.name": tag}
            self.entries.append({**manifest, "annotations": name})
        if not tags:
            self.entries.append(manifest)

    def close(self):
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}
        (self.directory / "index.json").write_bytes(to_json(index))
        (self.directory / "oci-layout").write_bytes(to_json({"imageLayoutVersion": "1.0.0"}))


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def to_json(document):
    return json.dumps(document, separators=(",", ":")).encode()


def tar(name, text):
    """An archive with one text file."""
    content = text.encode()
    header = tarfile.TarInfo(name)
    header.size = len(content)
    header.mtime = 1704067200
    padding = -len(content) % 512 + 1024
    return header.tobuf(tarfile.USTAR_FORMAT) + content + bytes(padding)


def gzip(content):
    """A gzip member with one block that is stored as it is (RFC 1951, 3.2.4)."""
    header = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF])
    block = struct.pack("<BHH", 1, len(content), len(content) ^ 0xFFFF) + content
    return header + block + struct.pack("<II", binascii.crc32(content), len(content))


def platform(text):
    names = ["os", "architecture", "variant"]
    return dict(zip(names, text.split("/")))


def add_image(repository, where, title, version, archives):
    """One image for one platform, out of uncompressed layers."""
    config = {
        "created": CREATED,
        **platform(where),
        "config": {
            "User": "65532",
            "Labels": {"org.opencontainers.image.title": title, "org.opencontainers.image.version": version},
        },
        "rootfs": {"type": "layers", "diff_ids": [sha256(archive) for archive in archives]},
        "history": [{"created": CREATED, "created_by": "hack/make-sample.py"} for _ in archives],
    }
    layers = [repository.add(LAYER, gzip(archive)) for archive in archives]
    return repository.add_manifest(repository.add(CONFIG, to_json(config)), layers)


def add_attestation(repository, image):
    """The entry of an index in which a builder says how it made one of the images."""
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "demo/hello", "digest": {"sha256": image["digest"].removeprefix("sha256:")}}],
        "predicate": {"builder": {"id": "hack/make-sample.py"}, "buildType": "https://example.com/sample"},
    }
    statement = to_json(statement)
    predicate = {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}
    config = {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [sha256(statement)]},
    }
    manifest = repository.add_manifest(
        repository.add(CONFIG, to_json(config)),
        [repository.add(IN_TOTO, statement, annotations=predicate)],
    )
    about = {"vnd.docker.reference.digest": image["digest"], "vnd.docker.reference.type": "attestation-manifest"}
    return {**manifest, "annotations": about, "platform": {"architecture": "unknown", "os": "unknown"}}


def add_index(repository, version, base):
    """An image of every platform, the first with an attestation."""
    children = []
    for where in PLATFORMS:
        greeting = tar("hello.txt", f"Hello from version {version} on {where}.\n")
        image = add_image(repository, where, "hello", version, [base, greeting])
        children.append({**image, "platform": platform(where)})
    children.append(add_attestation(repository, children[0]))
    return repository.add(INDEX, to_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}))


def add_referrer(repository, subject):
    """A signature in today's form: a manifest with a subject. It proves nothing."""
    payload = {"mediaType": BUNDLE, "note": "made up for the sample: this is not a signature"}
    manifest = repository.add_manifest(
        repository.add(EMPTY, b"{}"),
        [repository.add(BUNDLE, to_json(payload))],
        artifactType=BUNDLE,
        subject=subject,
        annotations={"org.opencontainers.image.created": CREATED},
    )
    return {**manifest, "artifactType": BUNDLE}


def add_tagged_signature(repository, subject):
    """A signature in cosign's older form: an image under a tag. It proves nothing."""
    payload = {
        "critical": {
            "identity": {"docker-reference": "source.example.com/demo/hello"},
            "image": {"docker-manifest-digest": subject["digest"]},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    payload = to_json(payload)
    config = {
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [sha256(payload)]},
    }
    signature = {"dev.cosignproject.cosign/signature": "bWFkZSB1cA=="}
    manifest = repository.add_manifest(
        repository.add(CONFIG, to_json(config)),
        [repository.add(SIMPLE_SIGNING, payload, annotations=signature)],
    )
    return manifest, subject["digest"].replace(":", "-") + ".sig"


def make_hello(directory, base):
    hello = Repository(directory)
    first = add_index(hello, "1.0.0", base)
    second = add_index(hello, "1.1.0", base)
    candidate = add_index(hello, "2.0.0-rc.1", base)
    hello.list_manifest(first, "1.0.0")
    hello.list_manifest(second, "1.1.0", "latest")
    hello.list_manifest(candidate, "2.0.0-rc.1")
    hello.list_manifest(*add_tagged_signature(hello, first))
    hello.list_manifest(add_referrer(hello, second))
    hello.close()


def make_tools(directory, base):
    tools = Repository(directory)
    archives = [base]
    for version, tag in [("1.0.0", "1.0.0"), ("1.1.0", "latest")]:
        archives.append(tar(f"tools-{version}.txt", f"The tools of version {version}.\n"))
        tools.list_manifest(add_image(tools, "linux/amd64", "tools", version, archives), tag)
    tools.close()


def main():
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE
    if target.exists():
        shutil.rmtree(target)
    base = tar("base.txt", "The layer that every image of the sample stands on.\n")
    make_hello(target / "demo" / "hello", base)
    make_tools(target / "demo" / "tools", base)


if __name__ == "__main__":
    main()
