#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Does what people do with images every day, with transship, crane, skopeo and oras, and counts for each job the
# words that a person types and the requests that a registry gets. Prints a table in Markdown.
#
#   hack/daily-jobs.py PROGRAM TOOLS
#
# PROGRAM is transship, TOOLS the directory in which `make tools` keeps the others. skopeo is the one of the system.
# The registry is distribution, behind a proxy of this script that counts.

import glob
import gzip
import hashlib
import http.client
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

PROGRAM, TOOLS = os.path.abspath(sys.argv[1]), sys.argv[2]
WORK = tempfile.mkdtemp(prefix="daily-jobs-")
A = "HOST/team/app:1.2.0"
# The same with something that refers to it.
ATTACHED = "HOST/team/app:1.1.0"

# Each job: its name, and of each tool what is typed; None where the tool cannot do it.
JOBS = [
    ("digest of a tag", {"transship": f"transship digest {A}", "crane": f"crane digest {A}",
                         "skopeo": f"skopeo inspect --format {{{{.Digest}}}} docker://{A}", "oras": f"oras resolve {A}"}),
    ("digest of a platform", {"transship": f"transship digest --platform linux/arm64 {A}",
                              "crane": f"crane digest --platform linux/arm64 {A}",
                              "oras": f"oras resolve --platform linux/arm64 {A}"}),
    ("manifest, byte for byte", {"transship": f"transship manifest {A}", "crane": f"crane manifest {A}",
                                 "skopeo": f"skopeo inspect --raw docker://{A}", "oras": f"oras manifest fetch {A}"}),
    ("config", {"transship": f"transship config {A}", "crane": f"crane config {A}",
                "skopeo": f"skopeo inspect --config docker://{A}",
                "oras": f"oras manifest fetch-config --platform linux/amd64 {A}"}),
    ("environment variables", {"transship": f"transship inspect -f {{{{.Config.Env}}}} {A}",
                               "crane": f"crane config {A} | jq .config.Env",
                               "skopeo": f"skopeo inspect --config docker://{A} | jq .config.Env"}),
    ("platforms", {"transship": f"transship manifest {A} | jq .manifests[].platform",
                   "crane": f"crane manifest {A} | jq .manifests[].platform",
                   "skopeo": f"skopeo inspect --raw docker://{A} | jq .manifests[].platform",
                   "oras": f"oras manifest fetch {A} | jq .manifests[].platform"}),
    ("steps and their sizes", {"transship": f"transship history {A}",
                               "crane": f"crane config {A} | jq .history && crane manifest --platform=linux/amd64 {A}",
                               "skopeo": f"skopeo inspect --config docker://{A} && skopeo inspect docker://{A}"}),
    ("compare two images", {"transship": "transship diff HOST/team/app:1.2.0 HOST/team/app:1.1.0",
                            "crane": "crane config HOST/team/app:1.2.0 && crane config HOST/team/app:1.1.0 && "
                                     "crane manifest HOST/team/app:1.2.0 && crane manifest HOST/team/app:1.1.0 | diff"}),
    ("tags", {"transship": "transship ls -q HOST/team/app", "crane": "crane ls HOST/team/app",
              "skopeo": "skopeo list-tags docker://HOST/team/app", "oras": "oras repo tags HOST/team/app"}),
    ("tags by pattern", {"transship": "transship ls -q -m 1.* HOST/team/app", "crane": "crane ls HOST/team/app | grep ^1",
                         "oras": "oras repo tags HOST/team/app | grep ^1"}),
    ("newest version", {"transship": "transship ls -q --last 1 HOST/team/app",
                        "crane": "crane ls HOST/team/app | sort -V | tail -1",
                        "oras": "oras repo tags HOST/team/app | sort -V | tail -1"}),
    ("repositories", {"transship": "transship ls HOST", "crane": "crane catalog HOST", "oras": "oras repo ls HOST"}),
    ("retag", {"transship": f"transship copy {A} HOST/team/app:prod-N", "crane": f"crane tag {A} prod-N",
               "skopeo": f"skopeo copy --all docker://{A} docker://HOST/team/app:prod-N",
               "oras": f"oras tag {A} prod-N"}),
    ("copy an image of two platforms", {"transship": f"transship copy {A} HOST/copy-N/app:1",
                                        "crane": f"crane copy {A} HOST/copy-N/app:1",
                                        "skopeo": f"skopeo copy --all docker://{A} docker://HOST/copy-N/app:1",
                                        "oras": f"oras cp {A} HOST/copy-N/app:1"}),
    ("the same with what refers to it", {"transship": f"transship copy {ATTACHED} HOST/whole-N/app:1",
                                         "oras": f"oras cp -r {ATTACHED} HOST/whole-N/app:1"}),
    ("copy all tags", {"transship": "transship copy -a HOST/team/app HOST/all-N/app",
                       "crane": "crane copy -a HOST/team/app HOST/all-N/app",
                       "skopeo": "skopeo sync --all --src docker --dest docker HOST/team/app HOST/all-N"}),
    ("copy what is new", {"transship": "transship copy -a -n HOST/team/app HOST/seen-N/app",
                          "crane": "crane copy -a -n HOST/team/app HOST/seen-N/app"}),
    ("into a directory", {"transship": f"transship copy {A} ./dir-N", "crane": f"crane pull --format oci {A} dir-N",
                          "skopeo": f"skopeo copy --all docker://{A} oci:dir-N:1",
                          "oras": f"oras cp --to-oci-layout {A} dir-N:1"}),
    ("into a directory with what refers to it", {"transship": f"transship copy {ATTACHED} ./attached-N",
                                         "oras": f"oras cp -r --to-oci-layout {ATTACHED} attached-N:1"}),
    ("into an archive for docker load", {"transship": f"transship copy {A} docker-archive:a-N.tar",
                                         "crane": f"crane pull --platform linux/amd64 {A} a-N.tar",
                                         "skopeo": f"skopeo copy docker://{A} docker-archive:a-N.tar:app:1"}),
    ("push an archive of docker save", {"transship": "transship copy docker-archive:saved.tar HOST/load-N/app:1",
                                        "crane": "crane push saved.tar HOST/load-N/app:1",
                                        "skopeo": "skopeo copy docker-archive:saved.tar docker://HOST/load-N/app:1"}),
    ("delete a tag", {"transship": "transship delete --yes HOST/team/app:doomed-N",
                      "crane": "crane delete HOST/team/app:doomed-N"}),
    ("is it complete", {"transship": f"transship verify {A}", "crane": f"crane validate --fast --remote {A}"}),
    ("is every byte right", {"transship": f"transship verify --deep {A}", "crane": f"crane validate --remote {A}"}),
    ("would anything be copied", {"transship": "transship copy -a --dry-run HOST/team/app HOST/seen-N/app"}),
    ("what takes room", {"transship": "transship df HOST/team/app"}),
]
TOOL_NAMES = ["transship", "crane", "skopeo", "oras"]
# What a person has to say besides, because the registry of this script speaks plain HTTP.
PLAIN = {"skopeo": ["--tls-verify=false"], "oras": ["--plain-http"], "crane": ["--insecure"], "transship": []}
SAID = {"TRANSSHIP_INSECURE": "127.0.0.1"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Counter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count, target = 0, ""

    def relay(self):
        Counter.count += 1
        size = self.headers.get("Content-Length")
        chunked = self.headers.get("Transfer-Encoding", "") == "chunked"
        body = self.rfile.read(int(size)) if size else self.chunks() if chunked else None
        registry = http.client.HTTPConnection(Counter.target)
        registry.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "expect"):
                registry.putheader(name, value)
        if body is not None or self.command in ("PUT", "POST", "PATCH"):
            registry.putheader("Content-Length", str(len(body or b"")))
        registry.endheaders(body)
        answer = registry.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length", len(content)) if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        registry.close()

    def chunks(self):
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = relay

    def log_message(self, *_):
        pass


def tool(name):
    if name == "transship":
        return PROGRAM
    return (glob.glob(f"{TOOLS}/{name}-*/{name}") or [shutil.which(name)])[0]


def run(words, check=True):
    done = subprocess.run(words, cwd=WORK, capture_output=True, text=True, env={**os.environ, **SAID, "HOME": WORK})
    if check and done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr}")
    return done


def measure(name, text, host, number):
    """The words of a job, and its requests; none where it failed."""
    text = text.replace("-N", f"-{name}{number}").replace("HOST", host)
    before = Counter.count
    for part in text.split("&&"):
        words = part.split("|")[0].split()
        flags = PLAIN[name]
        if name == "skopeo" and words[1] in ("copy", "sync"):
            docker = [side for side, word in (("src", words[-2]), ("dest", words[-1])) if "docker://" in word]
            docker = ["src", "dest"] if words[1] == "sync" else docker
            flags = [f"--{side}-tls-verify=false" for side in docker]
        if name == "oras" and words[1] == "cp":
            flags = ["--from-plain-http"] + ([] if "--to-oci-layout" in words else ["--to-plain-http"])
        at = 3 if words[1] in ("repo", "manifest") else 2
        done = run([tool(name), *words[1:at], *flags, *words[at:]], check=False)
        if done.returncode and (words[1] != "diff" or done.returncode != 2):
            print(f"{' '.join(words)}: {done.stderr.strip()[-300:]}", file=sys.stderr)
            return len(text.split()), None
    return len(text.split()), Counter.count - before


def archive(text):
    """A layer with one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def build(layout, number):
    """A small image of two platforms, as an OCI layout."""
    blobs = os.path.join(layout, "blobs", "sha256")
    os.makedirs(blobs)

    def put(content):
        digest = hashlib.sha256(content).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as file:
            file.write(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    def image(architecture):
        layers, diffs = [], []
        for step in range(3):
            tar = archive(f"{number if step else 0} {architecture} {step}")
            diffs.append("sha256:" + hashlib.sha256(tar).hexdigest())
            layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **put(gzip.compress(tar, mtime=0))})
        config = {"architecture": architecture, "os": "linux", "config": {"Env": ["A=1"]},
                  "rootfs": {"type": "layers", "diff_ids": diffs},
                  "history": [{"created_by": f"step {step}"} for step in range(3)]}
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": kind, "layers": layers,
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **put(json.dumps(config).encode())}}
        return {"mediaType": kind, "platform": {"os": "linux", "architecture": architecture},
                **put(json.dumps(manifest).encode())}

    kind = "application/vnd.oci.image.index.v1+json"
    index = {"schemaVersion": 2, "mediaType": kind, "manifests": [image("amd64"), image("arm64")]}
    root = {"mediaType": kind, "annotations": {"org.opencontainers.image.ref.name": "1"}, **put(json.dumps(index).encode())}
    with open(os.path.join(layout, "oci-layout"), "w") as file:
        file.write('{"imageLayoutVersion": "1.0.0"}')
    with open(os.path.join(layout, "index.json"), "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [root]}, file)


def prepare(host):
    for number, tag in enumerate(["1.0.0", "1.1.0", "1.2.0", "2.0.0"]):
        build(os.path.join(WORK, f"layout{number}"), number)
        run([PROGRAM, "copy", f"./layout{number}:1", f"{host}/team/app:{tag}"])
    with open(os.path.join(WORK, "sbom.json"), "w") as file:
        file.write("{}")
    run([tool("oras"), "attach", "--plain-http", "--artifact-type", "application/x.sbom", f"{host}/team/app:1.1.0", "sbom.json"])
    run([PROGRAM, "copy", f"{host}/team/app:1.2.0", "docker-archive:saved.tar"])
    deletes = [job for job, _ in JOBS].index("delete a tag")
    for name in TOOL_NAMES:
        run([PROGRAM, "copy", f"{host}/team/app:1.0.0", f"{host}/team/app:doomed-{name}{deletes}"])


def main():
    port, registry_port = free_port(), free_port()
    with open(os.path.join(WORK, "registry.yml"), "w") as file:
        file.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: "
                   f"{{rootdirectory: {WORK}/registry}}, delete: {{enabled: true}}}}\nhttp: {{addr: '127.0.0.1:{registry_port}'}}\n")
    registry = subprocess.Popen([tool("registry"), "serve", os.path.join(WORK, "registry.yml")],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    Counter.target = f"127.0.0.1:{registry_port}"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Counter)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", registry_port)) == 0:
                    break
            time.sleep(0.1)
        host = f"127.0.0.1:{port}"
        prepare(host)
        print("| job | " + " | ".join(TOOL_NAMES) + " |\n|---|" + "---|" * len(TOOL_NAMES))
        worse = []
        for number, (job, commands) in enumerate(JOBS):
            for name, text in commands.items():
                if "HOST/seen-N" in text:
                    run([PROGRAM, "copy", "-a", f"{host}/team/app", f"{host}/seen-{name}{number}/app"])
            figures = {name: measure(name, text, host, number) for name, text in commands.items()}
            cells = [f"{figures[name][0]}, {figures[name][1] if figures[name][1] is not None else 'fails'}"
                     if name in figures else "–" for name in TOOL_NAMES]
            print(f"| {job} | " + " | ".join(cells) + " |", flush=True)
            others = [figure for name, figure in figures.items() if name != "transship" and figure[1] is not None]
            for index, what in enumerate(["words", "requests"]):
                best = min((figure[index] for figure in others), default=None)
                ours = figures["transship"][index]
                if ours is None or best is not None and ours > best:
                    worse.append(f"{job}: {ours} {what}, {best}")
        print("\nmore than the best: " + ("; ".join(worse) or "nothing"))
    finally:
        registry.kill()
        shutil.rmtree(WORK, ignore_errors=True)


main()
