// SPDX-License-Identifier: Apache-2.0

//! Images that a node can run, put together as the Containerfile does it: files on nothing, and who runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use super::super::program::Program;
use super::super::registries::Registry;
use super::super::tools;

/// The user of the Containerfile.
const USER: &str = "65532:65532";

/// The authorities that the Containerfile takes.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A program that does nothing until it is told to end.
const PAUSE: &[u8] =
    b"#include <signal.h>\n#include <unistd.h>\nint main(void) { signal(SIGTERM, _exit); for (;;) pause(); }\n";

/// Pushes an image of the program under test. It is the one of this build, with the libraries that it asks for: the one
/// of `make static` asks for none, but takes minutes more to build.
pub async fn push_controller(registry: &Registry, name: &str) {
    let root = TempDir::new().expect("a directory");
    let program = env!("CARGO_BIN_EXE_transship");
    let libraries = Program::at(Path::new("ldd"), &[program]).run().await;
    libraries.assert_success();
    let libraries = libraries.stdout.split_whitespace();
    for library in libraries.filter(|word| word.starts_with('/')) {
        install(root.path(), Path::new(library), library);
    }
    install(root.path(), Path::new(AUTHORITIES), AUTHORITIES);
    let place = root.path().join("transship");
    // Without what debuggers read, there is a tenth to push.
    let strip = Program::at(Path::new("strip"), &["-o"]);
    let strip = strip.argument(&place).argument(program).run().await;
    strip.assert_success();
    push(
        registry,
        root.path(),
        name,
        &["--entrypoint=/transship", "--cmd=controller"],
    )
    .await;
}

/// Pushes an image whose program waits; another label makes another image.
pub async fn push_pause(registry: &Registry, name: &str, label: &str) {
    let root = TempDir::new().expect("a directory");
    let program = root.path().join("pause");
    let compile = ["-static", "-x", "c", "-", "-o"];
    let compile = Program::at(&tools::packaged("musl-gcc"), &compile).argument(&program);
    compile.input(PAUSE).run().await.assert_success();
    let label = format!("--label=test={label}");
    push(
        registry,
        root.path(),
        name,
        &["--entrypoint=/pause", &label],
    )
    .await;
}

fn install(root: &Path, from: &Path, place: &str) {
    let place = root.join(place.trim_start_matches('/'));
    fs::create_dir_all(place.parent().expect("a directory")).expect("a directory");
    fs::copy(from, &place).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

async fn push(registry: &Registry, root: &Path, name: &str, settings: &[&str]) {
    let layers = TempDir::new().expect("a directory");
    let layer = layers.path().join("layer.tar");
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("a directory");
    let pack = ["--owner=0", "--group=0", "--create", "--file"];
    let pack = Program::at(Path::new("tar"), &pack).argument(&layer);
    let pack = pack.argument("--directory").argument(root).argument(".");
    pack.run().await.assert_success();
    let name = format!("{}/{name}", registry.host());
    let append = [
        "append",
        "--oci-empty-base",
        "--new_tag",
        &name,
        "--new_layer",
    ];
    let append = Program::at(&tools::built("crane"), &append).argument(&layer);
    append.run().await.assert_success();
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let platform = format!("--set-platform=linux/{architecture}");
    let user = format!("--user={USER}");
    let mutate = [
        &["mutate", &name, "--tag", &name, &platform, &user],
        settings,
    ]
    .concat();
    let mutate = Program::at(&tools::built("crane"), &mutate);
    mutate.run().await.assert_success();
}
