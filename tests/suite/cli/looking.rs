// SPDX-License-Identifier: Apache-2.0

//! `ls`, `inspect`, and what the program says of itself.

use serde_json::Value;

use super::{Files, with_names};
use crate::support::access_log::{Resource, count};
use crate::support::content::{Image, ImageBuilder};
use crate::support::digest::sha256;
use crate::support::registries::{Kind, Registry, Security};

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000, 20_000])
        .user("1000")
        .label("maintainer", "me")
        .attestations()
        .referrer("application/vnd.example.sbom")
        .signature_tag()
        .build()
}

async fn run(registry: &Registry, arguments: &[&str]) -> String {
    let host = registry.host();
    let words: Vec<String> = arguments
        .iter()
        .map(|word| word.replace("REGISTRY", &host))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let files = Files::new(&[]);
    let program = files.transship(&words);
    let finished = program.environment("TRANSSHIP_INSECURE", host).run().await;
    finished.assert_success();
    with_names(&finished.stdout, &[(registry, "REGISTRY")])
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_and_tags_are_listed() {
    for kind in Kind::ALL {
        let registry = Registry::start(kind, Security::Plain).await;
        registry.client().push("app", "1", &image(1)).await;
        registry.client().push("app", "latest", &image(1)).await;
        let listed = run(&registry, &["ls", "REGISTRY"]).await;
        assert_eq!(listed, "app\n", "{kind:?}");
        registry.forget_requests().await;
        let names = run(&registry, &["ls", "-q", "REGISTRY/app"]).await;
        assert_eq!(names, "1\nlatest\n", "{kind:?}");
        assert_eq!(
            count(&registry.requests().await, "GET", Resource::Manifest),
            0,
            "{kind:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_with_platforms_and_sizes() {
    let registry = Registry::start(Kind::Crane, Security::Plain).await;
    let plain = ImageBuilder::new(2)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[20_000])
        .build();
    registry.client().push("app", "1", &plain).await;
    registry
        .client()
        .push(
            "app",
            "one-platform",
            &ImageBuilder::new(3).layers(&[500]).build(),
        )
        .await;
    insta::assert_snapshot!(run(&registry, &["ls", "REGISTRY/app"]).await, @r"
    TAG            DIGEST                SIZE      PLATFORMS
    1              sha256:f787f6201a92   44.7 kB   linux/amd64,linux/arm64
    one-platform   sha256:b8c7c973aaf8   2.4 kB    linux/amd64
    ");
    let json: Value =
        serde_json::from_str(&run(&registry, &["ls", "REGISTRY/app", "-o", "json"]).await).unwrap();
    assert_eq!(json["tags"][0]["digest"], plain.digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_shown_in_sections() {
    let image = image(1);
    for kind in [Kind::Distribution2, Kind::Distribution3] {
        let registry = Registry::start(kind, Security::Plain).await;
        registry.client().push("app", "1", &image).await;
        let text = run(
            &registry,
            &["inspect", "REGISTRY/app:1", "--platform", "linux/arm64"],
        )
        .await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(text, @r"
            Name:         REGISTRY/app
            Reference:    1
            Digest:       sha256:72483e392a1bf5525d1ff098945ef77ffe196478446b99003d85077e879f1d90
            Media type:   application/vnd.oci.image.index.v1+json
            Size:         50.2 kB

            Platforms:
              PLATFORM      DIGEST                LAYERS   SIZE
              linux/amd64   sha256:02a7da47ae99   2        25.1 kB
              linux/arm64   sha256:4c63c021d589   2        25.1 kB

            Image for linux/arm64:
              Digest:        sha256:4c63c021d589b7d76ab3051ecff16a4f87d5960f9df96d0302a7412526c00ee7
              Created:       2024-01-02T03:04:05Z
              User:          1000
              Environment:   SEED
              Labels:        maintainer=me

            Layers:
              DIGEST                SIZE      MEDIA TYPE
              sha256:a4ddad4179b1   2.6 kB    application/vnd.oci.image.layer.v1.tar+gzip
              sha256:e1e28910dbdd   22.0 kB   application/vnd.oci.image.layer.v1.tar+gzip

            History:
              CREATED                SIZE      STEP
              2024-01-02T03:04:05Z   2.6 kB    tests
              2024-01-02T03:04:05Z   22.0 kB   tests

            Referrers:
              TYPE                           DIGEST                TAG
              application/vnd.example.sbom   sha256:da2dfed0dc34   sha256-72483e392a1bf5525d1ff098945ef77ffe196478446b99003d85077e879f1d90
              cosign signature               sha256:0fcc2c837319   sha256-72483e392a1bf5525d1ff098945ef77ffe196478446b99003d85077e879f1d90.sig
            ");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_raw_manifest_has_the_digest_of_the_tag() {
    let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
    let image = image(1);
    registry.client().push("app", "1", &image).await;
    let raw = run(&registry, &["inspect", "--raw", "REGISTRY/app:1"]).await;
    assert_eq!(sha256(raw.as_bytes()), image.digest());
    let view = run(&registry, &["inspect", "REGISTRY/app:1", "-o", "json"]).await;
    let view: Value = serde_json::from_str(&view).unwrap();
    assert_eq!(view["digest"], image.digest());
    assert_eq!(view["platforms"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        view["referrers"].as_array().map(Vec::len),
        Some(2),
        "{view:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_explains_itself() {
    let files = Files::new(&[]);
    let help = files.run(&["--help"]).await;
    help.assert_success();
    insta::assert_snapshot!(help.stdout, @r"
    Keeps container images in sync between registries

    Usage: transship [OPTIONS] <COMMAND>

    Commands:
      init         Ask five questions, and write a first mirror into a file
      sync         Copy the images that mirrors name
      plan         Say what sync would do, and why each tag is in or out
      prune        Say which tags at the destinations are no longer wanted, or delete them
      restore      Bring back tags that were pruned
      copy         Copy images between registries, directories and archives
      bundle       Carry the images of mirrors in one file, to a place without a network
      delete       Delete tags [alias: rm]
      ls           List the repositories of a registry, or the tags of a repository
      search       Search registries for repositories
      digest       Print the digest of an image
      manifest     Print the manifest or index of an image, byte for byte
      config       Print the config of an image, byte for byte
      images       List the images that manifests name, or that run in a cluster
      inspect      Show an image: manifest, platforms, config, layers, history, referrers
      history      Show the steps that made an image, and their sizes
      diff         Show what tells two images apart
      verify       Check that images are complete and undamaged
      df           Say how much room tags take, and how much of it they share
      login        Keep a credential for a registry
      logout       Forget the credential for a registry
      controller   Keep the mirrors of a Kubernetes cluster in sync
      convert      Write the file of another mirror tool as mirrors and policies
      crds         Print the definitions of the custom resources, for kubectl apply
      schema       Print the JSON schema of the files, for editors
      completions  Print the completions of a shell
      man          Print a manual page
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Common options:
      -v, --verbose...           Log more: -v what is done, -vv every decision, -vvv everything [env:
                                 TRANSSHIP_VERBOSE=]
      -q, --quiet                Print nothing but results, failures and the summary [env:
                                 TRANSSHIP_QUIET=]
          --log-level <LEVEL>    Log from this level on: off, error, warn, info, debug or trace
                                 [default: warn, info for what keeps running] [env: TRANSSHIP_LOG=]
          --log-format <FORMAT>  How log lines look: human or json [default: human, json for the
                                 controller] [env: TRANSSHIP_LOG_FORMAT=]

    Examples:
      transship init                                    ask, and write a first mirror.yaml
      transship sync -f mirror.yaml                     copy what the mirrors of a file say, once
      transship sync -f mirrors/ --watch                keep doing so, at each mirror's interval
      transship plan -f mirror.yaml                     say what sync would do, and why
      transship copy alpine:3.20 registry.example.com/mirror/alpine
      transship ls registry.example.com/mirror/alpine
      transship inspect alpine:3.20
      transship diff alpine:3.19 alpine:3.20
      transship copy alpine:3.20 docker-archive:alpine.tar
      transship prune -f mirror.yaml --state state.json say what the mirrors do not want any more
      transship df registry.example.com/mirror/alpine   say how much room the tags take

    Exit codes: 0 done, 1 something failed, 2 wrong use or spec, 130 interrupted.
    Of plan, prune and diff: 0 as it should be, 1 something is wrong, 2 something to do, or not alike.
    ");
    for arguments in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["man"],
        &["man", "sync"],
    ] {
        let finished = files.run(arguments).await;
        finished.assert_success();
        assert!(finished.stdout.contains("transship"), "{arguments:?}");
    }
    for command in [
        "init", "sync", "plan", "prune", "restore", "copy", "bundle", "delete", "ls", "search",
        "digest", "manifest", "config", "inspect", "history", "diff", "verify", "df", "login",
        "logout",
    ] {
        let help = files.run(&[command, "--help"]).await;
        help.assert_success();
        assert!(help.stdout.contains("Example"), "{command}");
        let same = files.run(&["help", command]).await;
        assert_eq!(same.stdout, help.stdout, "{command}");
    }
}
