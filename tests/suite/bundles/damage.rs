// SPDX-License-Identifier: Apache-2.0

//! Bundles that are not as they were written.

use std::fs;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use super::forged::{Members, header};
use super::{Gap, image};
use crate::support::registries::{Kind, Registry, Security};

/// Where a part of a file is.
fn find(whole: &[u8], part: &[u8]) -> usize {
    let start = &part[..part.len().min(64)];
    whole
        .windows(start.len())
        .position(|window| window == start)
        .expect("a part of the file")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_named_by_file_and_offset_wherever_it_is() {
    let mut gap = Gap::new().await;
    let image = image(1);
    gap.source.client().push("app", "1", &image).await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    fs::write(gap.path("key.pem"), key.serialize_pem()).unwrap();
    gap.create(&["out.tar", "--key", "key.pem"]).await;
    gap.create(&["parts", "--split", "1MiB"]).await;
    gap.create(&["out.zst"]).await;
    let whole = fs::read(gap.path("out.tar")).unwrap();
    let layer = image
        .blobs
        .iter()
        .max_by_key(|blob| blob.bytes.len())
        .unwrap();
    let config = image
        .blobs
        .iter()
        .find(|blob| blob.media_type.contains("config"))
        .unwrap();
    let places = [
        ("a header", 3),
        ("oci-layout", 512 + 5),
        ("index.json", find(&whole, b"\"manifests\":[") + 30),
        (
            "the manifest of the bundle",
            find(&whole, b"application/vnd.transship.bundle.index.v1"),
        ),
        (
            "the index of the bundle",
            find(&whole, b"\"repositories\":[") + 3,
        ),
        (
            "the signature of the index",
            find(&whole, b"{\"mediaType\":\"application/vnd.dev.sigstore") + 3,
        ),
        (
            "what refers to an image",
            find(&whole, &image.referrers[0].manifest.bytes) + 20,
        ),
        ("an index", find(&whole, &image.root.bytes) + 20),
        ("a manifest", find(&whole, &image.children[0].bytes) + 20),
        ("a config", find(&whole, &config.bytes) + 9),
        (
            "a layer",
            find(&whole, &layer.bytes) + layer.bytes.len() / 2,
        ),
        (
            "the last byte of a layer",
            find(&whole, &layer.bytes) + layer.bytes.len() - 1,
        ),
    ];
    for (what, place) in places {
        let mut bent = whole.clone();
        bent[place] ^= 1;
        fs::write(gap.path("bent.tar"), bent).unwrap();
        refuse(&mut gap, what, "bent.tar", "bent.tar").await;
    }
    for (what, file, first) in [
        ("the first part", "parts.001", "parts.001"),
        ("the second part", "parts.002", "parts.001"),
        ("a frame", "out.zst", "out.zst"),
    ] {
        let before = fs::read(gap.path(file)).unwrap();
        let boundary = if file == first { before.len() - 1 } else { 0 };
        for place in [before.len() / 2, boundary] {
            let mut bent = before.clone();
            bent[place] ^= 1;
            fs::write(gap.path(file), bent).unwrap();
            refuse(&mut gap, what, first, file).await;
        }
        fs::write(gap.path(file), before).unwrap();
        gap.json(&["bundle", "verify", first]).await;
    }
    // What is cut off, and a part that is not there.
    fs::write(gap.path("bent.tar"), &whole[..whole.len() / 2]).unwrap();
    refuse(&mut gap, "half", "bent.tar", "bent.tar").await;
    fs::remove_file(gap.path("parts.002")).unwrap();
    refuse(&mut gap, "a part is missing", "parts.001", "parts.001").await;
}

/// It is told what is damaged, and nothing is tagged that could not be loaded as a whole.
async fn refuse(gap: &mut Gap, what: &str, bundle: &str, file: &str) {
    let verified = gap.run(&["bundle", "verify", bundle]).await;
    assert_eq!(verified.code, Some(1), "{what}: {}", verified.stdout);
    let said = &verified.stderr;
    assert!(said.contains(file), "{what}: {said}");
    let is_placed = said.contains("damaged at offset") || said.contains("between the offsets");
    let is_known = said.contains("is not usable");
    assert!(is_placed || is_known, "{what}: {said}");
    // What is there already is not read.
    gap.destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    gap.write_mirror(&["app"]);
    let arguments = ["bundle", "load", "-f", "mirror.yaml", bundle];
    let loaded = gap.run(&arguments).await;
    for tag in gap.tags("app").await {
        gap.assert_whole(&[&format!("app:{tag}")]).await;
    }
    // What no image is made of may be damaged.
    let is_beside =
        ["oci-layout", "index.json", "a frame"].contains(&what) || what.contains("part");
    assert!(
        loaded.code == Some(1) || is_beside,
        "{what}: {}",
        loaded.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_mean_harm_do_none() {
    let gap = Gap::new().await;
    let image = image(1);
    gap.source.client().push("app", "1", &image).await;
    gap.create(&["out.tar"]).await;
    let whole = fs::read(gap.path("out.tar")).unwrap();
    let entries = &whole[..whole.len() - 1_024];
    let blob = format!("blobs/sha256/{}", &image.blobs[0].digest["sha256:".len()..]);
    let filler = [b"x".to_vec(), vec![0; 511]].concat();
    let cases = [
        (
            "a path",
            [header("../../escaped", "1", b'0'), filler.clone()].concat(),
            true,
        ),
        ("a link", header("link", "0", b'2'), true),
        ("a blob that is a link", header(&blob, "0", b'2'), true),
        (
            "a blob twice",
            [header(&blob, "1", b'0'), filler].concat(),
            false,
        ),
        ("a huge size", header("huge", "77777777777", b'0'), false),
    ];
    for (what, added, is_fine) in cases {
        let bytes = [entries, &added, &[0; 1_024]].concat();
        fs::write(gap.path("harm.tar"), bytes).unwrap();
        let verified = gap.run(&["bundle", "verify", "harm.tar"]).await;
        let code = i32::from(!is_fine);
        assert_eq!(verified.code, Some(code), "{what}: {}", verified.stderr);
    }
    assert!(!gap.path("../escaped").exists());
    for (what, text) in [("nothing", &b""[..]), ("words", b"not a tar at all")] {
        fs::write(gap.path("harm.tar"), text).unwrap();
        let verified = gap.run(&["bundle", "verify", "harm.tar"]).await;
        assert_eq!(verified.code, Some(1), "{what}: {}", verified.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_a_slash_before_them_are_read_as_they_are_unpacked() {
    let gap = Gap::new().await;
    gap.source.client().push("app", "1", &image(1)).await;
    gap.create(&["out.tar"]).await;
    let whole = fs::read(gap.path("out.tar")).unwrap();
    for prefix in ["/", "./", "/./"] {
        let members = Members::of(&whole).renamed(|name| format!("{prefix}{name}"));
        fs::write(gap.path("other.tar"), members.pack()).unwrap();
        gap.json(&["bundle", "verify", "other.tar"]).await;
        gap.load("other.tar").await;
    }
    gap.assert_whole(&["app:1"]).await;
}
