// SPDX-License-Identifier: Apache-2.0

//! The commands about images: `digest`, `inspect` in its forms, `history`, `diff`, `delete`, `verify`, `login`.

mod deletes;

use std::fs;

use serde_json::{Value, json};

use super::{Files, with_names};
use crate::support::access_log::{Resource, count};
use crate::support::content::{Image, ImageBuilder};
use crate::support::credentials::Login;
use crate::support::digest::sha256;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::program::Finished;
use crate::support::registries::{Kind, Registry, Security};

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000, 20_000])
        .user("1000")
        .label("maintainer", "me")
        .build()
}

/// A registry, and a directory to run in.
struct Lab {
    registry: Registry,
    files: Files,
}

impl Lab {
    async fn new(images: &[(&str, u64)]) -> Self {
        let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
        for (tag, seed) in images {
            registry.client().push("app", tag, &image(*seed)).await;
        }
        registry.forget_requests().await;
        Self {
            registry,
            files: Files::new(&[]),
        }
    }

    /// Runs the program; `REGISTRY` stands for the registry.
    async fn run(&self, arguments: &[&str]) -> Finished {
        let host = self.registry.host();
        let words: Vec<String> = arguments
            .iter()
            .map(|word| word.replace("REGISTRY", &host))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let program = self.files.transship(&words);
        let finished = program
            .environment("TRANSSHIP_INSECURE", host.clone())
            .run()
            .await;
        let names = [(&self.registry, "REGISTRY")];
        Finished {
            code: finished.code,
            stdout: with_names(&finished.stdout, &names),
            stderr: with_names(&finished.stderr, &names),
        }
    }

    async fn stdout(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments).await;
        finished.assert_success();
        finished.stdout
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let finished = self.run(&[arguments, &["-o", "json"]].concat()).await;
        serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", finished.stderr))
    }

    async fn tags(&self) -> Vec<String> {
        self.registry.client().tags("app").await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_costs_one_head() {
    let lab = Lab::new(&[("1", 1)]).await;
    let digest = lab.stdout(&["digest", "REGISTRY/app:1"]).await;
    assert_eq!(digest.trim(), image(1).digest());
    let requests = lab.registry.requests().await;
    assert_eq!(count(&requests, "HEAD", Resource::Manifest), 1);
    assert_eq!(count(&requests, "GET", Resource::Manifest), 0);

    let of_platform = lab
        .stdout(&["digest", "REGISTRY/app:1", "--platform", "linux/arm64"])
        .await;
    let raw = lab
        .stdout(&[
            "inspect",
            "--raw",
            "--platform",
            "linux/arm64",
            "REGISTRY/app:1",
        ])
        .await;
    assert_eq!(of_platform.trim(), sha256(raw.as_bytes()));
    let document = lab.json(&["digest", "REGISTRY/app:1"]).await;
    assert_eq!(document["apiVersion"], "cli.transship.dev/v1");
    assert_eq!(document["kind"], "Digest");
    assert_eq!(document["digest"], image(1).digest());
}

/// The requests of each command, for an image of two platforms with two layers each.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_twice() {
    let lab = Lab::new(&[("1", 1), ("2", 2), ("3", 3)]).await;
    lab.stdout(&["copy", "REGISTRY/app:1", "REGISTRY/other"])
        .await;
    lab.stdout(&["copy", "REGISTRY/app:2", "REGISTRY/other"])
        .await;
    for (command, expected) in [
        (&["manifest", "REGISTRY/app:1"][..], 1),
        (&["config", "REGISTRY/app:1"], 3),
        // An index, two manifests and two configs of each side.
        (&["diff", "REGISTRY/app:1", "REGISTRY/app:2"], 10),
        // The same of one side, two layers of each image, and whether anything refers to them.
        (&["verify", "REGISTRY/app:1"], 1 + 2 + 2 + 4 + 1),
        // Both lists: nothing else is asked about tags that are there.
        (&["copy", "-a", "-n", "REGISTRY/other", "REGISTRY/app"], 2),
        // The image, and the tag.
        (&["copy", "REGISTRY/app:1", "REGISTRY/app:prod"], 2),
        // By any tag, and what the other one names.
        (
            &["copy", "--dry-run", "REGISTRY/app:1", "REGISTRY/app:2"],
            2,
        ),
        (&["copy", "-n", "REGISTRY/app:1", "REGISTRY/app:2"], 2),
        // The tags beside it in case that they go along, the image that it stands for right before, the delete, whether
        // the tag is gone, and whether the image is there.
        (&["delete", "--yes", "REGISTRY/app:3"], 5),
        // Nobody looks whether the image is there where no tag may have gone along; and of two, one looks at both first.
        (
            &["delete", "--yes", "REGISTRY/other:1", "REGISTRY/other:2"],
            2 + 5 + 4,
        ),
    ] {
        lab.registry.forget_requests().await;
        lab.run(command).await;
        let asked = lab.registry.requests().await;
        assert_eq!(asked.len(), expected, "{command:?}: {asked:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_registry_has_byte_for_byte() {
    let lab = Lab::new(&[("1", 1)]).await;
    for (command, flag) in [("manifest", "--raw"), ("config", "--config")] {
        for platform in ["linux/amd64", "linux/arm64"] {
            let rest = ["--platform", platform, "REGISTRY/app:1"];
            let printed = lab.stdout(&[&[command][..], &rest].concat()).await;
            let inspected = lab.stdout(&[&["inspect", flag][..], &rest].concat()).await;
            assert_eq!(printed, inspected, "{command} {platform}");
        }
    }
    let index = lab.stdout(&["manifest", "REGISTRY/app:1"]).await;
    assert_eq!(sha256(index.as_bytes()), image(1).digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_what_is_new_leaves_alone_what_is_listed() {
    let lab = Lab::new(&[("1", 1), ("2", 2)]).await;
    lab.stdout(&["copy", "REGISTRY/app:2", "REGISTRY/other:1"])
        .await;
    let copied = lab
        .run(&["copy", "-a", "-n", "REGISTRY/app", "REGISTRY/other"])
        .await;
    copied.assert_success();
    assert!(
        copied.stdout.contains("1 copied")
            && copied.stderr.contains("1 tag that the destination has"),
        "{}{}",
        copied.stdout,
        copied.stderr
    );
    let left = lab.stdout(&["digest", "REGISTRY/other:1"]).await;
    assert_eq!(left.trim(), image(2).digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_config_as_it_is_and_what_a_template_makes_of_it() {
    let lab = Lab::new(&[("1", 1)]).await;
    let config = lab
        .stdout(&[
            "inspect",
            "--config",
            "REGISTRY/app:1",
            "--platform",
            "linux/amd64",
        ])
        .await;
    let manifest = lab
        .stdout(&[
            "inspect",
            "--raw",
            "REGISTRY/app:1",
            "--platform",
            "linux/amd64",
        ])
        .await;
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["config"]["digest"], sha256(config.as_bytes()));
    for (template, expected) in [
        ("{{.Config.User}}", "1000\n"),
        (
            r#"{{index .Config.Labels "maintainer"}} on {{.Os}}/{{.Architecture}}"#,
            "me on linux/arm64\n",
        ),
        ("{{len .RootFS.Layers}}", "2\n"),
    ] {
        let arguments = [
            "inspect",
            "-f",
            template,
            "--platform",
            "linux/arm64",
            "REGISTRY/app:1",
        ];
        assert_eq!(lab.stdout(&arguments).await, expected, "{template}");
    }
    let wrong = lab
        .run(&["inspect", "-f", "{{.Nothing}}", "REGISTRY/app:1"])
        .await;
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("there is no field \"Nothing\""),
        "{}",
        wrong.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_said_on_both_streams() {
    let lab = Lab::new(&[]).await;
    for (command, kind) in [
        (&["ls", "REGISTRY/none"][..], "TagList"),
        (&["inspect", "REGISTRY/none:1"], "Image"),
        (&["digest", "REGISTRY/none:1"], "Digest"),
        (&["history", "REGISTRY/none:1"], "History"),
        (
            &["diff", "REGISTRY/none:1", "REGISTRY/none:2"],
            "Difference",
        ),
        (
            &["copy", "-a", "REGISTRY/none", "REGISTRY/other"],
            "CopyReport",
        ),
        (&["delete", "--yes", "REGISTRY/none:1"], "DeleteReport"),
        (&["verify", "REGISTRY/none:1"], "VerifyReport"),
    ] {
        let finished = lab.run(&[command, &["-o", "json"]].concat()).await;
        assert_eq!(finished.code, Some(1), "{command:?}: {}", finished.stderr);
        let document: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(document["kind"], kind);
        assert_eq!(
            document["failures"][0]["reason"], "NotFound",
            "{document:#}"
        );
        assert!(
            finished.stderr.contains("REGISTRY/none"),
            "{command:?}: {}",
            finished.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_images_are_compared() {
    let lab = Lab::new(&[("1", 1), ("same", 1), ("2", 2)]).await;
    let same = lab
        .run(&["diff", "REGISTRY/app:1", "REGISTRY/app:same"])
        .await;
    assert_eq!(same.code, Some(0), "{}", same.stdout);
    let other = lab.run(&["diff", "REGISTRY/app:1", "REGISTRY/app:2"]).await;
    assert_eq!(other.code, Some(2), "{}", other.stdout);
    assert!(other.stdout.contains("linux/arm64:\n"), "{}", other.stdout);
    let wrong = lab.run(&["diff", "REGISTRY/app:1"]).await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.stderr);
    let document = lab
        .json(&["diff", "REGISTRY/app:1", "REGISTRY/app:2"])
        .await;
    assert_eq!(
        document["platforms"].as_array().map(Vec::len),
        Some(2),
        "{document:#}"
    );
}
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_damaged_is_found() {
    let lab = Lab::new(&[("1", 1)]).await;
    lab.stdout(&["verify", "REGISTRY/app:1"]).await;
    lab.stdout(&["verify", "--deep", "REGISTRY/app:1"]).await;
    lab.stdout(&["copy", "REGISTRY/app:1", "./lay"]).await;
    lab.stdout(&["verify", "--deep", "./lay:1"]).await;

    let raw = lab
        .stdout(&["inspect", "--raw", "--platform", "linux/arm64", "./lay:1"])
        .await;
    let manifest: Value = serde_json::from_str(&raw).unwrap();
    let layer = manifest["layers"][1]["digest"].as_str().unwrap();
    let path = lab
        .files
        .path("lay/blobs/sha256")
        .join(layer.trim_start_matches("sha256:"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    lab.stdout(&["verify", "./lay:1"]).await;
    let damaged = lab.run(&["verify", "--deep", "./lay:1"]).await;
    assert_eq!(damaged.code, Some(1), "{}", damaged.stdout);
    assert!(
        damaged.stderr.contains("DigestMismatch") && damaged.stderr.contains(layer),
        "{}",
        damaged.stderr
    );

    fs::remove_file(&path).unwrap();
    let missing = lab.run(&["verify", "./lay:1"]).await;
    assert_eq!(missing.code, Some(1), "{}", missing.stdout);
    assert!(
        missing.stderr.contains("NotFound") && missing.stderr.contains(layer),
        "{}",
        missing.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_checked_and_kept_where_docker_keeps_it() {
    let registry = Registry::start(Kind::Distribution3, Security::Basic).await;
    let login = Login::valid();
    let files = Files::new(&[("config.json", r#"{"psFormat": "x"}"#)]);
    let host = registry.host();
    let run = async |arguments: &[&str], input: &str| {
        let program = files.transship(arguments).input(input);
        let program = program.environment("DOCKER_CONFIG", files.path(""));
        program
            .environment("TRANSSHIP_INSECURE", host.clone())
            .run()
            .await
    };
    let arguments = [
        "login",
        &host,
        "--username",
        &login.username,
        "--password-stdin",
    ];
    let wrong = run(&arguments, "wrong").await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.stderr);
    assert!(
        !fs::read_to_string(files.path("config.json"))
            .unwrap()
            .contains("auths")
    );
    let right = run(&arguments, &format!("{}\n", login.password)).await;
    right.assert_success();
    assert!(!right.stderr.contains(&login.password), "{}", right.stderr);
    let config: Value =
        serde_json::from_slice(&fs::read(files.path("config.json")).unwrap()).unwrap();
    assert_eq!(config["psFormat"], "x");
    assert!(config["auths"][&host]["auth"].is_string());
    registry.client().push("app", "1", &image(1)).await;
    let reference = format!("{host}/app:1");
    run(&["digest", &reference], "").await.assert_success();
    run(&["logout", &host], "").await.assert_success();
    let gone = run(&["digest", &reference], "").await;
    assert_eq!(gone.code, Some(1), "{}", gone.stdout);
}

/// Registries that search by words, one that lists, and filters as docker writes them.
#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_searched_for() {
    let searching = FaultRegistry::start();
    let hits = json!({"num_results": 3, "results": [
        {"name": "team/app", "description": "An app.\nMore of it", "star_count": 3, "is_official": false},
        {"name": "team/base", "description": null, "star_count": 40, "is_official": true, "pull_count": 7},
        {"name": "no such NAME", "star_count": 1},
        {"name": "team/odd", "star_count": -5, "pull_count": "many", "is_official": "yes"},
    ]});
    searching
        .on("GET", "/v1/search")
        .responds(Reply::json(200, &hits));
    let files = Files::new(&[]);
    let run = async |registry: &FaultRegistry, words: &str, flags: &[&str]| {
        let query = format!("{}/{words}", registry.host());
        let program = files.transship(&[&["search", query.as_str()][..], flags].concat());
        let finished = program
            .environment("TRANSSHIP_INSECURE", registry.host())
            .run()
            .await;
        finished.assert_success();
        let text = finished.stdout.replace(&registry.host(), "REGISTRY");
        text.lines()
            .map(|line| line.trim_end().to_owned() + "\n")
            .collect::<String>()
    };
    insta::assert_snapshot!(run(&searching, "team", &["--limit", "7"]).await, @r"
    NAME                        DESCRIPTION          STARS    PULLS    OFFICIAL
    REGISTRY/team/app    An app. More of it   3        <none>   <none>
    REGISTRY/team/base   <none>               40       7        [OK]
    REGISTRY/team/odd    <none>               <none>   <none>   <none>
    ");
    let requests = searching.requests();
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0].path == "/v1/search" && requests[0].query == "q=team&n=7",
        "{requests:?}"
    );
    insta::assert_snapshot!(run(&searching, "team", &["--filter", "is-official=true,stars=40"]).await, @r"
    NAME                        DESCRIPTION   STARS   PULLS   OFFICIAL
    REGISTRY/team/base   <none>        40      7       [OK]
    ");
    assert_eq!(run(&searching, "team", &["--filter", "stars=41"]).await, "");
    let popular = ["--filter", "stars=9", "--limit", "1", "-o", "json"];
    assert!(
        run(&searching, "team", &popular)
            .await
            .contains("team/base")
    );

    let listing = FaultRegistry::start();
    let image = ImageBuilder::new(1).layers(&[100]).build();
    for repository in ["team/app", "team/base", "other"] {
        listing.load(repository, "1", &image);
    }
    insta::assert_snapshot!(run(&listing, "Team", &[]).await, @r"
    NAME                        DESCRIPTION   STARS    PULLS    OFFICIAL
    REGISTRY/team/app    <none>        <none>   <none>   <none>
    REGISTRY/team/base   <none>        <none>   <none>   <none>
    ");
    for (status, body) in [(500, json!({})), (200, json!({"results": "none"}))] {
        let broken = FaultRegistry::start();
        broken
            .on("GET", "/v1/search")
            .responds(Reply::json(status, &body));
        let query = format!("{}/app", broken.host());
        let program = files.transship(&["search", &query, "--timeout", "10s"]);
        let finished = program
            .environment("TRANSSHIP_INSECURE", broken.host())
            .run()
            .await;
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("cannot search"),
            "{}",
            finished.stderr
        );
    }
}
