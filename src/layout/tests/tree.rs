// SPDX-License-Identifier: Apache-2.0

//! The tree as a whole, and what is said where it is not as it should be.

use std::fs;

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::layout::error::Action;
use crate::oci::Descriptor;

#[tokio::test]
async fn repositories_may_lie_below_each_other() {
    let fixture = Fixture::new();
    let image = image("a");
    let names = ["a", "a/b", "a/b/c/d", "a/blobs", "z"];
    for name in names {
        let layout = &fixture.layout;
        layout
            .put_manifest(&repository(name), &target("1"), &image)
            .await
            .unwrap();
    }
    let tree = fixture.layout.path();
    std::os::unix::fs::symlink(tree, tree.join("a/loop")).unwrap();
    for not_a_repository in ["empty", "Upper/x", ".hidden"] {
        fs::create_dir_all(tree.join(not_a_repository)).unwrap();
        fs::write(tree.join(not_a_repository).join("oci-layout"), "").unwrap();
    }
    let found = fixture.layout.list_repositories().await.unwrap();
    assert_eq!(
        found.iter().map(Repository::as_str).collect::<Vec<_>>(),
        names
    );
}

#[tokio::test]
async fn nothing_is_written_through_a_link() {
    let image = image("a");
    for link in [
        "a",
        "a/b",
        "a/b/blobs",
        "a/b/blobs/sha256",
        "a/b/oci-layout",
    ] {
        let fixture = Fixture::new();
        let tree = fixture.layout.path();
        let elsewhere = tree.with_file_name("elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        let link = tree.join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        let is_file = link.ends_with("oci-layout");
        let target = if is_file {
            elsewhere.join("file")
        } else {
            elsewhere.clone()
        };
        std::os::unix::fs::symlink(target, &link).unwrap();
        let (repository, tag) = (repository("a/b"), super::target("1"));
        let put = fixture.layout.put_manifest(&repository, &tag, &image);
        let error = put.await.unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
        assert_eq!(
            fs::read_dir(&elsewhere).unwrap().count(),
            0,
            "{}",
            link.display()
        );
    }
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let fixture = Fixture::new();
    let image = image("a");
    let mut messages = Vec::new();
    let root = fixture.root.path().display().to_string();
    let mut note = |error: Error| {
        messages.push(format!("{:?}: {error}", error.kind()).replace(&root, ""));
    };
    let layout = &fixture.layout;
    let tags = async || layout.list_tags(&fixture.repository).await.unwrap_err();
    let fetch = async |wanted: &str| {
        let target = target(wanted);
        layout
            .fetch_manifest(&fixture.repository, &target)
            .await
            .unwrap_err()
    };

    note(layout.list_repositories().await.unwrap_err());
    note(tags().await);
    fixture.put("1", &image).await;
    note(fetch("2").await);
    let layer = Descriptor::of(LAYER.into(), b"layer");
    note(
        layout
            .fetch_blob(&fixture.repository, &layer, 0)
            .await
            .map(|_| ())
            .unwrap_err(),
    );
    note(
        layout
            .list_tags(&repository("a/index.json"))
            .await
            .unwrap_err(),
    );
    note(
        Layout::open(fixture.path(""))
            .list_repositories()
            .await
            .unwrap_err(),
    );

    let listed = fs::read_to_string(fixture.path("index.json")).unwrap();
    let entry = |digest: &Digest| {
        json!({"mediaType": OCI_MANIFEST, "digest": digest.as_str(), "size": 1,
               "annotations": {"org.opencontainers.image.ref.name": "1"}})
    };
    let twice = json!({"schemaVersion": 2, "manifests": [
        entry(&Digest::sha256(b"a")), entry(&Digest::sha256(b"b"))]});
    fs::write(fixture.path("index.json"), twice.to_string()).unwrap();
    note(fetch("1").await);
    fs::write(fixture.path("index.json"), r#"{"schemaVersion":1}"#).unwrap();
    note(tags().await);
    fs::write(fixture.path("index.json"), &listed).unwrap();
    fs::write(fixture.blob_path(image.digest()), "{}").unwrap();
    note(fetch("1").await);
    fs::remove_file(fixture.blob_path(image.digest())).unwrap();
    note(fetch("1").await);
    fs::write(fixture.path("index.json"), format!("{listed} ")).unwrap();
    fs::write(
        fixture.path("oci-layout"),
        r#"{"imageLayoutVersion":"2.0.0"}"#,
    )
    .unwrap();
    note(tags().await);
    fs::remove_file(fixture.path("index.json")).unwrap();
    fs::create_dir(fixture.path("index.json")).unwrap();
    note(tags().await);

    assert_snapshot!(messages.join("\n"), @r#"
    NotFound: there is no directory /tree: name the one that holds the image layouts
    NotFound: there is no image layout /tree/demo/hello: it would need the files oci-layout and index.json
    NotFound: the image layout /tree/demo/hello has no manifest 2
    NotFound: the image layout /tree/demo/hello has no blob sha256:dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85: copy the image into it anew
    Refused: repository a/index.json cannot be kept in a directory tree: "index.json" is where a layout has its own files; map it to another name
    Refused: /tree/demo/hello/ is an image layout itself, expected a directory of layouts: move it to DIR/REPOSITORY, such as DIR/library/alpine, and name DIR
    Corrupt: the image layout /tree/demo/hello has 2 manifests with the tag 1: remove all but one from its index.json
    Corrupt: /tree/demo/hello/index.json is not usable: its schemaVersion is 1, expected 2
    DigestMismatch: the image layout /tree/demo/hello has a bad manifest sha256:f9625a82851994cb1d1e2a45a640b1f5cc8bf624e8f3a42426923c70ed32fc2b: the manifest has the digest sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, expected sha256:f9625a82851994cb1d1e2a45a640b1f5cc8bf624e8f3a42426923c70ed32fc2b
    NotFound: the image layout /tree/demo/hello has no blob sha256:f9625a82851994cb1d1e2a45a640b1f5cc8bf624e8f3a42426923c70ed32fc2b: copy the image into it anew
    Refused: /tree/demo/hello/oci-layout names version "2.0.0" of the image layout, only 1.x is known: update transship
    Io: cannot read /tree/demo/hello/index.json: it is not a regular file
    "#);
}

#[test]
fn what_the_operating_system_says_comes_with_advice() {
    use std::io::ErrorKind::{
        FileTooLarge, PermissionDenied, ReadOnlyFilesystem, StorageFull, TimedOut,
    };
    let mut messages = Vec::new();
    for cause in [
        StorageFull,
        FileTooLarge,
        PermissionDenied,
        ReadOnlyFilesystem,
        TimedOut,
    ] {
        let error = Error::io(Action::Write, "tree/a".as_ref())(cause.into());
        messages.push(format!("{:?}: {error}", error.kind()));
    }
    assert_snapshot!(messages.join("\n"), @r"
    Full: cannot write tree/a: no storage space; free some space and run again, what is complete stays
    Full: cannot write tree/a: file too large; free some space and run again, what is complete stays
    Io: cannot write tree/a: permission denied; check the owner and mode of the directory
    Io: cannot write tree/a: read-only filesystem or storage medium; choose a directory that can be written
    Io: cannot write tree/a: timed out
    ");
}
