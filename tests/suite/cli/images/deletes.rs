// SPDX-License-Identifier: Apache-2.0

//! Tags that are deleted, and what goes with them.

use std::fs;

use serde_json::Value;

use super::{Lab, image};
use crate::cli::Files;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_deleted_by_name_and_others_of_their_image_stay() {
    let lab = Lab::new(&[("1", 1), ("latest", 1), ("2", 2)]).await;
    let alone = lab.run(&["delete", "REGISTRY/app:1"]).await;
    assert_eq!(alone.code, Some(2), "nobody can be asked: {}", alone.stdout);
    let pinned = format!("REGISTRY/app@{}", image(1).digest());
    let by_digest = lab.run(&["delete", "--yes", &pinned]).await;
    assert_eq!(by_digest.code, Some(2), "{}", by_digest.stderr);
    let dry = lab.json(&["delete", "--dry-run", "REGISTRY/app:1"]).await;
    assert_eq!(
        dry["tags"][0]["sameImage"],
        serde_json::json!(["latest"]),
        "{dry:#}"
    );
    assert_eq!(lab.tags().await.len(), 3);

    fs::write(
        lab.files.path("used.txt"),
        format!("{}/app:2\n", lab.registry.host()),
    )
    .unwrap();
    let used = lab
        .run(&[
            "delete",
            "--yes",
            "--in-use-from",
            "used.txt",
            "REGISTRY/app:2",
        ])
        .await;
    assert_eq!(used.code, Some(1), "{}{}", used.stdout, used.stderr);
    assert_eq!(lab.tags().await.len(), 3);

    let deleted = lab.run(&["delete", "--yes", "REGISTRY/app:1"]).await;
    assert_eq!(
        deleted.code,
        Some(0),
        "{}{}",
        deleted.stdout,
        deleted.stderr
    );
    assert_eq!(lab.tags().await, ["2", "latest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_a_directory_lacks_is_told_with_those_it_has() {
    let lab = Lab::new(&[("1", 1)]).await;
    for tag in ["1.0", "1.1", "1.2", "1.3", "1.4"] {
        lab.stdout(&["copy", "REGISTRY/app:1", &format!("./lay:{tag}")])
            .await;
    }
    lab.stdout(&["copy", "REGISTRY/app:1", "./one:1"]).await;
    let mut told = String::new();
    for arguments in [
        &["digest", "./lay:9"][..],
        &["inspect", "./lay:9"],
        &["verify", "./lay:9"],
        &["copy", "./lay:9", "./other"],
        &["copy", "./lay:9", "./lay:10"],
        &["delete", "--yes", "./one:9"],
        &["manifest", "./one:9"],
    ] {
        let finished = lab.run(arguments).await;
        assert_eq!(finished.code, Some(1), "{arguments:?}: {}", finished.stdout);
        told.push_str(&finished.stderr);
    }
    insta::assert_snapshot!(told, @"
    error: ./lay:9 does not exist: there are 1.0, 1.1, 1.2 and 2 more
    error: ./lay:9 does not exist: there are 1.0, 1.1, 1.2 and 2 more
    failed: NotFound: ./lay:9 does not exist: there are 1.0, 1.1, 1.2 and 2 more
    failed: NotFound: ./lay:9 does not exist: there are 1.0, 1.1, 1.2 and 2 more
    failed: NotFound: ./lay:9 does not exist: there are 1.0, 1.1, 1.2 and 2 more
    error: ./one:9 does not exist: there is 1
    error: ./one:9 does not exist: there is 1
    ");
}

/// A registry may take its time, or be told not to: the answer to the PUT need not name what it stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_retag_is_read_back_where_the_registry_does_not_say_what_it_stored() {
    let registry = FaultRegistry::start();
    registry.load("app", "1", &image(1));
    registry
        .on("PUT", "/manifests/prod")
        .nth(1)
        .responds(Reply::new(201));
    let files = Files::new(&[]);
    let (from, to) = (
        format!("{}/app:1", registry.host()),
        format!("{}/app:prod", registry.host()),
    );
    let program = files.transship(&["copy", &from, &to]);
    let finished = program
        .environment("TRANSSHIP_INSECURE", registry.host())
        .run()
        .await;
    finished.assert_success();
    let tag = registry.manifest("app", "prod").unwrap();
    assert_eq!(tag.digest, image(1).digest(), "{}", finished.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_tags_that_a_registry_takes_along_the_image_stays_and_nothing_is_guessed() {
    let registry = FaultRegistry::options().taking_manifests_along().start();
    for tag in ["1", "1.0", "latest"] {
        registry.load("app", tag, &image(1));
    }
    registry.load("app", "2", &image(2));
    let files = Files::new(&[]);
    let run = async |tag: &str| {
        let name = format!("{}/app:{tag}", registry.host());
        let program = files.transship(&["delete", "--yes", &name]);
        program
            .environment("TRANSSHIP_INSECURE", registry.host())
            .run()
            .await
    };
    let along = run("1").await;
    assert_eq!(along.code, Some(1), "{}", along.stdout);
    let digest = image(1).digest().to_owned();
    let told = format!(
        "1.0, latest are gone, too, and nobody saw whether they named it: the image is there by its digest again, and \
         transship copy {host}/app@{digest} {host}/app:1.0 names it",
        host = registry.host()
    );
    assert!(along.stderr.contains(&told), "{}", along.stderr);
    assert_eq!(registry.tags("app"), ["2"]);
    let image = format!("{}/app@{digest}", registry.host());
    let again = format!("{}/app:1.0", registry.host());
    let program = files.transship(&["copy", &image, &again]);
    let program = program.environment("TRANSSHIP_INSECURE", registry.host());
    program.run().await.assert_success();
    assert_eq!(registry.tags("app"), ["1.0", "2"]);
    // Nothing else has this image.
    run("2").await.assert_success();
    assert_eq!(registry.tags("app"), ["1.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_look_at_is_not_written_over() {
    let source = FaultRegistry::start();
    source.load("app", "1", &image(1));
    let destination = FaultRegistry::start();
    destination.load("app", "1", &image(2));
    for (method, part) in [
        ("HEAD", "/manifests/"),
        ("GET", "/manifests/"),
        ("GET", "/tags/list"),
    ] {
        destination
            .on(method, part)
            .responds(Reply::error(403, "DENIED", "push only"));
    }
    let files = Files::new(&[]);
    let (from, to) = (
        format!("{}/app", source.host()),
        format!("{}/app", destination.host()),
    );
    for arguments in [
        &["copy", "-a", "-n", from.as_str(), to.as_str()][..],
        &["copy", "-n", &format!("{from}:1"), &to],
    ] {
        let hosts = format!("{},{}", source.host(), destination.host());
        let program = files.transship(arguments);
        let finished = program.environment("TRANSSHIP_INSECURE", hosts).run().await;
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        let left = destination.manifest("app", "1").unwrap();
        assert_eq!(left.digest, image(2).digest(), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_deletes_loses_nothing() {
    let registry = FaultRegistry::start();
    registry.load("app", "1", &image(1));
    registry
        .on("DELETE", "/manifests/")
        .responds(Reply::error(405, "UNSUPPORTED", "no"));
    let files = Files::new(&[]);
    let name = format!("{}/app:1", registry.host());
    let program = files.transship(&["delete", "--yes", &name]);
    let finished = program
        .environment("TRANSSHIP_INSECURE", registry.host())
        .run()
        .await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    assert!(
        finished.stderr.contains("PruneUnsupported"),
        "{}",
        finished.stderr
    );
    assert_eq!(registry.tags("app"), ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_that_was_confirmed_and_not_done_is_none() {
    let registry = FaultRegistry::start();
    for tag in ["1", "latest"] {
        registry.load("app", tag, &image(1));
    }
    registry.on("DELETE", "/manifests/").does(Action::Swallow);
    let files = Files::new(&[]);
    let name = format!("{}/app:1", registry.host());
    let program = files.transship(&["delete", "--yes", "-o", "json", &name]);
    let finished = program
        .environment("TRANSSHIP_INSECURE", registry.host())
        .run()
        .await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let told = [
        &report["tags"][0]["action"],
        &report["failures"][0]["message"],
    ];
    let expected = [
        "Failed",
        "the registry says that it deleted the tag, and still has it",
    ];
    assert_eq!(told, expected, "{report:#}");
    assert_eq!(registry.tags("app"), ["1", "latest"]);
}
