#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Writes images of a registry into one file with `transship bundle create`, `oras backup` and `skopeo copy`, and prints
# a table in Markdown with time, memory and size. Each does it once, one after another, of the same corpus.
#
#   hack/bundles.py PROGRAM TOOLS [GIB]
#   hack/bundles.py --alone PROGRAM TOOLS [GIB]
#
# PROGRAM is a transship of `cargo build --release`, TOOLS the directory in which `make tools` keeps the others. skopeo is the one of the system. GIB
# is the size of the corpus, 1 where it is not said: four images with two layers each. With --alone only transship works: the bundle is compressed and split, a second one carries only what is
# new, both are verified and loaded, and the script fails where a process takes more than 96 MiB or a bundle has other
# bytes than it must. Its layers are sparse files of the registry; what waits for a bundle is not.

import glob
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib

ARGUMENTS = [word for word in sys.argv[1:] if word != "--alone"]
ALONE = "--alone" in sys.argv
PROGRAM, TOOLS = os.path.abspath(ARGUMENTS[0]), ARGUMENTS[1]
GIB = float(ARGUMENTS[2]) if len(ARGUMENTS) > 2 else 1
IMAGES, LAYERS = 4, 2
LAYER = int(GIB * 2**30 / IMAGES / LAYERS)
MOST = 96 * 2**20
OCI = "application/vnd.oci.image"


def tool(name):
    return (glob.glob(f"{TOOLS}/{name}-*/{name}") or [shutil.which(name)])[0]


class Registry:
    """distribution, with files that are put under it."""

    def __init__(self, root):
        self.root = root
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        os.makedirs(root)
        with open(f"{root}/registry.yml", "w") as file:
            file.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: "
                       f"{{rootdirectory: {root}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
        self.host = f"127.0.0.1:{port}"
        self.process = subprocess.Popen([tool("registry"), "serve", f"{root}/registry.yml"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        sys.exit("the registry does not start")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def link(self, path, digest):
        path = f"{self.root}/docker/registry/v2/repositories/app/{path}"
        os.makedirs(path)
        with open(f"{path}/link", "w") as file:
            file.write(f"sha256:{digest}")

    def put(self, start, size, kind):
        """A blob that begins with some bytes and has zeros behind them, for which the disk needs no room."""
        hasher, rest, zeros = hashlib.sha256(start), size - len(start), bytes(2**20)
        while rest > 0:
            hasher.update(zeros[:rest])
            rest -= len(zeros)
        digest = hasher.hexdigest()
        path = f"{self.root}/docker/registry/v2/blobs/sha256/{digest[:2]}/{digest}"
        os.makedirs(path)
        with open(f"{path}/data", "wb") as file:
            file.write(start)
            file.truncate(size)
        self.link(f"_layers/sha256/{digest}", digest)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}

    def layer(self, start):
        """A layer of zeros; one that does not compress where others work, too, who would compress it."""
        if ALONE:
            return self.put(start, LAYER, f"{OCI}.layer.v1.tar")
        packer = zlib.compressobj(0, wbits=31)
        content = packer.compress(os.urandom(LAYER)) + packer.flush()
        return self.put(content, len(content), f"{OCI}.layer.v1.tar+gzip")

    def push(self, tag, number):
        """An image whose layers no other number has."""
        layers = [self.layer(f"{number} {place}".encode()) for place in range(LAYERS)]
        self.tag(tag, layers)
        return layers

    def tag(self, tag, layers):
        diffs = [layer["digest"] for layer in layers]
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}})
        config = self.put(config.encode(), len(config), f"{OCI}.config.v1+json")
        kind = f"{OCI}.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers})
        digest = self.put(manifest.encode(), len(manifest), kind)["digest"].split(":")[1]
        self.link(f"_manifests/revisions/sha256/{digest}", digest)
        self.link(f"_manifests/tags/{tag}/current", digest)
        self.link(f"_manifests/tags/{tag}/index/sha256/{digest}", digest)


def run(words, work):
    """Runs a program: how many seconds it took, its most memory, and what it printed."""
    environment = {**os.environ, "TRANSSHIP_INSECURE": "127.0.0.1", "HOME": work, "TMPDIR": work}
    began = time.monotonic()
    with open(f"{work}/said", "w+") as said, open(f"{work}/failed", "w+") as failed:
        process, most = subprocess.Popen(words, cwd=work, stdout=said, stderr=failed, env=environment), 0
        while process.poll() is None:
            most = max(most, peak(process.pid))
            time.sleep(0.01)
        seconds = time.monotonic() - began
        said.seek(0)
        failed.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(words)}: {failed.read()[-2000:]}")
        return seconds, most, said.read()


def peak(process):
    """The most memory that a process has had so far."""
    with open(f"/proc/{process}/status") as status:
        lines = [line.split() for line in status if line.startswith("VmHWM:")]
    return int(lines[0][1]) * 1024 if lines else 0


def length(work, prefix):
    return sum(os.path.getsize(path) for path in glob.glob(f"{work}/{prefix}*"))


def mirror(work, source, destination):
    with open(f"{work}/mirror.yaml", "w") as file:
        file.write(f"apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n"
                   f"  source: {{registry: '{source}', insecure: true}}\n  images: [{{repository: app, tags: ['*']}}]\n"
                   f"  destinations: [{{name: d, registry: '{destination}', insecure: true}}]\n")


def row(name, seconds, memory, size, first):
    ratio = f"{seconds / first:.2f}" if first else "1.00"
    print(f"| {name} | {seconds:.1f} s | {ratio} | {memory / 2**20:.0f} MiB | {size / 2**20:.1f} MiB |", flush=True)


def compare(work, source):
    mirror(work, source.host, "registry.example.com")
    tags = [f"{number}" for number in range(IMAGES)]
    seconds, memory, _ = run([PROGRAM, "bundle", "create", "-f", "mirror.yaml", "ours.tar"], work)
    row("`transship bundle create`", first := seconds, memory, length(work, "ours.tar"), None)
    os.remove(f"{work}/ours.tar")
    words = [tool("oras"), "backup", "--plain-http", "--output", "oras.tar", f"{source.host}/app:{','.join(tags)}"]
    seconds, memory, _ = run(words, work)
    row("`oras backup`", seconds, memory, length(work, "oras.tar"), first)
    os.remove(f"{work}/oras.tar")
    total, most = 0, 0
    for tag in tags:
        words = [tool("skopeo"), "--insecure-policy", "copy", "-q", "--all", "--src-tls-verify=false",
                 f"docker://{source.host}/app:{tag}", f"oci-archive:skopeo{tag}.tar:{tag}"]
        seconds, memory, _ = run(words, work)
        total, most = total + seconds, max(most, memory)
    row("`skopeo copy`, an archive each", total, most, length(work, "skopeo"), first)


def alone(work, source, layers):
    destination = Registry(f"{work}/destination")
    try:
        mirror(work, source.host, destination.host)
        steps(work, source, layers)
    finally:
        destination.stop()


def steps(work, source, layers):
    failures = []

    def step(name, words, file, bytes_of=None):
        seconds, memory, said = run([PROGRAM, *words, "-o", "json"], work)
        row(name, seconds, memory, length(work, file), None)
        if memory > MOST:
            failures.append(f"{name} took {memory >> 20} MiB")
        if bytes_of and bytes_of[1] != (found := bytes_of[0](json.loads(said))):
            failures.append(f"{name} has {found} bytes of layers, expected {bytes_of[1]}")

    def elsewhere(document):
        return document["elsewhere"]["size"]

    def copied(document):
        return document["totals"]["bytes"]

    create = ["bundle", "create", "-f", "mirror.yaml"]
    step("create", [*create, "first.zst", "--split", "1MiB", "--index", "first.json"], "first.zst")
    step("verify", ["bundle", "verify", "first.zst"], "first.zst")
    configs = sum(blob["size"] for one in json.load(open(f"{work}/first.json"))["repositories"] for blob in one["blobs"])
    source.tag("new", [layers[0], source.layer(b"new")])
    step("create --since", [*create, "second.zst", "--since", "first.json"], "second.zst", (elsewhere, configs))
    step("verify", ["bundle", "verify", "second.zst"], "second.zst")
    # What is loaded stands on the disk as it is: one image is enough to see what a load takes.
    if GIB <= 4:
        step("load", ["bundle", "load", "-f", "mirror.yaml", "first.zst"], "first.zst", (copied, configs))
        step("load", ["bundle", "load", "-f", "mirror.yaml", "second.zst"], "second.zst")
    if failures:
        sys.exit("\n".join(failures))


def main():
    work = tempfile.mkdtemp(prefix="bundles-")
    source = None
    try:
        source = Registry(f"{work}/source")
        layers = [source.push(f"{number}", number) for number in range(IMAGES)]
        print(f"{IMAGES} images, {GIB:g} GiB\n\n| | time | ratio | memory | on the disk |\n|---|---|---|---|---|")
        if ALONE:
            alone(work, source, layers[0])
        else:
            compare(work, source)
    finally:
        if source:
            source.stop()
        shutil.rmtree(work, ignore_errors=True)


main()
