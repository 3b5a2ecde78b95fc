// SPDX-License-Identifier: Apache-2.0

//! Bundles that somebody signed, as cosign reads and writes it.

use std::fs;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::json;

use super::forged::{Members, blob};
use super::{Gap, image};
use crate::support::program::{Finished, Program};
use crate::support::tools;

async fn cosign(gap: &Gap, arguments: &[&str]) -> Finished {
    Program::at(&tools::built("cosign"), arguments)
        .directory(gap.directory.path())
        .environment("HOME", gap.directory.path())
        .environment("COSIGN_PASSWORD", "")
        .run()
        .await
}

/// A gap with an image, a private key in `key.pem`, its public one in `key.pub`, and another one in `other.pub`.
async fn with_keys() -> Gap {
    let gap = Gap::new().await;
    gap.source.client().push("app", "1", &image(1)).await;
    let [key, other] = [(); 2].map(|()| KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    fs::write(gap.path("key.pem"), key.serialize_pem()).unwrap();
    fs::write(gap.path("key.pub"), key.public_key_pem()).unwrap();
    fs::write(gap.path("other.pub"), other.public_key_pem()).unwrap();
    gap
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_is_proven_here_and_by_cosign() {
    let gap = with_keys().await;
    let created = gap.create(&["out.tar", "--key", "key.pem"]).await;
    let verified = gap
        .json(&["bundle", "verify", "out.tar", "--key", "key.pub"])
        .await;
    assert_eq!(verified["signed"], json!(true));
    let unasked = gap.json(&["bundle", "verify", "out.tar"]).await;
    assert_eq!(unasked["signed"], json!(null));
    let listed = gap.json(&["bundle", "ls", "out.tar"]).await;
    assert_eq!(listed["signature"], created["signature"]);

    let members = Members::of(&fs::read(gap.path("out.tar")).unwrap());
    for (field, file) in [("index", "index"), ("signature", "index.sigstore.json")] {
        fs::write(gap.path(file), members.get(&blob(&created[field]))).unwrap();
    }
    for (key, code) in [("key.pub", 0), ("other.pub", 1)] {
        let arguments = [
            "verify-blob",
            "--key",
            key,
            "--bundle",
            "index.sigstore.json",
            "--insecure-ignore-tlog",
            "index",
        ];
        let finished = cosign(&gap, &arguments).await;
        assert_eq!(finished.code == Some(0), code == 0, "{}", finished.stderr);
    }

    let load = ["bundle", "load", "-f", "mirror.yaml", "out.tar"];
    let refused = gap
        .run(&[&load[..], &["--key", "other.pub"]].concat())
        .await;
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    let said = "out.tar: is not signed with this key";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert_eq!(gap.tags("app").await, [""; 0]);
    gap.json(&[&load[..], &["--key", "key.pub"]].concat()).await;
    gap.assert_whole(&["app:1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_cosign_made_beside_a_bundle_counts() {
    let gap = with_keys().await;
    gap.create(&["out.tar", "--index", "out.json"]).await;
    let made = cosign(&gap, &["generate-key-pair"]).await;
    made.assert_success();
    let arguments = [
        "sign-blob",
        "--yes",
        "--key=cosign.key",
        "--tlog-upload=false",
        "--use-signing-config=false",
        "--bundle=out.sigstore.json",
        "out.json",
    ];
    cosign(&gap, &arguments).await.assert_success();
    let verify = ["bundle", "verify", "out.tar", "--key", "cosign.pub"];
    let beside = ["--signature", "out.sigstore.json"];
    gap.json(&[&verify[..], &beside].concat()).await;
    let without = gap.run(&[&verify[..], &["-o", "json"]].concat()).await;
    assert_eq!(without.code, Some(1), "{}", without.stderr);
    let report: serde_json::Value = serde_json::from_str(&without.stdout).unwrap();
    assert_eq!(report["signed"], json!(false));
    assert_eq!(report["failures"][0]["reason"], json!("VerificationFailed"));

    // Another bundle is not the one that was signed.
    gap.source.client().push("app", "2", &image(2)).await;
    gap.create(&["out.tar"]).await;
    let other = gap.run(&[&verify[..], &beside].concat()).await;
    assert_eq!(other.code, Some(1), "{}", other.stdout);
    let said = "out.tar: was changed after it was signed";
    assert!(other.stderr.contains(said), "{}", other.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_in_a_signed_bundle_is_not_signed() {
    let gap = with_keys().await;
    gap.create(&["out.tar", "--key", "key.pem"]).await;
    let whole = fs::read(gap.path("out.tar")).unwrap();
    let forged =
        Members::of(&whole).with_index(|index| index["created"] = json!("2026-01-01T00:00:00Z"));
    fs::write(gap.path("forged.tar"), forged.pack()).unwrap();
    gap.json(&["bundle", "verify", "forged.tar"]).await;
    let verify = ["bundle", "verify", "forged.tar", "--key", "key.pub"];
    let verified = gap.run(&verify).await;
    assert_eq!(verified.code, Some(1), "{}", verified.stdout);
    let said = "was changed after it was signed";
    assert!(verified.stderr.contains(said), "{}", verified.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_sign_nothing_are_refused_before_anything_is_fetched() {
    let gap = with_keys().await;
    cosign(&gap, &["generate-key-pair"]).await.assert_success();
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    fs::write(gap.path("edwards.pem"), edwards.serialize_pem()).unwrap();
    gap.source.forget_requests().await;
    for (key, expected) in [
        (
            "cosign.key",
            "cosign.key is encrypted: sign the index that --index writes",
        ),
        ("key.pub", "key.pub is not a private key in PEM"),
        (
            "edwards.pem",
            "edwards.pem is a private key of a kind that is not supported",
        ),
        ("none.pem", "cannot read none.pem"),
    ] {
        let words = [
            "bundle",
            "create",
            "-f",
            "mirror.yaml",
            "out.tar",
            "--key",
            key,
        ];
        let finished = gap.run(&words).await;
        assert_eq!(finished.code, Some(2), "{key}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    }
    assert_eq!(gap.source.requests().await.len(), 0);
}
