// SPDX-License-Identifier: Apache-2.0

//! Manifests of a registry that answers HEAD wrongly, lies about digests, or sends too much.

use bytes::Bytes;
use transship::oci::{Digest, Manifest, MediaType, TagOrDigest};
use transship::registry::{Kind, Resolved};

use super::{client, digest, exchanges, kind, loaded, repository, tag};
use crate::support::content::Image;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

/// Methods and statuses.
type Exchanges = &'static [(&'static str, u16)];

const DIGEST: &str = "docker-content-digest";

fn resolved(image: &Image) -> Resolved {
    Resolved {
        digest: digest(&image.root),
        media_type: Some(MediaType::from(image.root.media_type.as_str())),
        size: Some(image.root.bytes.len() as u64),
    }
}

fn parsed(image: &Image) -> Manifest {
    Manifest::parse(image.root.bytes.clone(), None, None).unwrap()
}

#[tokio::test]
async fn a_head_that_says_too_little_is_followed_by_a_get() {
    let none = Reply::new(404);
    let cases: [(&str, Action, Exchanges); 6] = [
        (
            "as specified",
            Action::SetHeader("x-odd", "1".to_owned()),
            &[("HEAD", 200)],
        ),
        (
            "no digest",
            Action::RemoveHeader(DIGEST),
            &[("HEAD", 200), ("GET", 200)],
        ),
        (
            "no digest that can be read",
            Action::SetHeader(DIGEST, "md5:0".to_owned()),
            &[("HEAD", 200), ("GET", 200)],
        ),
        (
            "404 although it is there",
            Action::Respond(none),
            &[("HEAD", 404), ("GET", 200)],
        ),
        (
            "403 although it is there",
            Action::Respond(Reply::new(403)),
            &[("HEAD", 403), ("GET", 200)],
        ),
        (
            "no HEAD",
            Action::Respond(Reply::new(405)),
            &[("HEAD", 405), ("GET", 200)],
        ),
    ];
    for (name, fault, expected) in cases {
        let (registry, image) = loaded();
        registry.on("HEAD", "/manifests/").does(fault);
        let found = client(&registry).resolve(&repository(), &tag(), None).await;
        assert_eq!(kind(found), Ok(Some(resolved(&image))), "{name}");
        let expected: Vec<_> = expected
            .iter()
            .map(|(method, status)| ((*method).to_owned(), *status))
            .collect();
        assert_eq!(exchanges(&registry), expected, "{name}");
    }
}

#[tokio::test]
async fn whether_404_to_a_head_can_be_trusted_is_learned_once() {
    let registry = FaultRegistry::start();
    let client = client(&registry);
    for _ in 0..2 {
        let found = client.resolve(&repository(), &tag(), None).await;
        assert_eq!(kind(found), Ok(None));
    }
    let asked: Vec<_> = registry
        .requests()
        .into_iter()
        .map(|request| request.method)
        .collect();
    assert_eq!(asked, ["HEAD", "GET", "HEAD"]);
}

#[tokio::test]
async fn a_digest_that_is_known_already_is_not_described_again() {
    let (registry, image) = loaded();
    let client = client(&registry);
    let known = digest(&image.root);
    let unchanged = Resolved {
        digest: known.clone(),
        media_type: None,
        size: None,
    };
    let found = client.resolve(&repository(), &tag(), Some(&known)).await;
    assert_eq!(kind(found), Ok(Some(unchanged)));
    let found = client
        .resolve(&repository(), &tag(), Some(&Digest::sha256(b"old")))
        .await;
    assert_eq!(kind(found), Ok(Some(resolved(&image))));
    registry.on("HEAD", "/manifests/").responds(Reply::new(304));
    let unasked = client.resolve(&repository(), &tag(), None).await;
    assert_eq!(kind(unasked), Err(Kind::Protocol));
}

#[tokio::test]
async fn the_bytes_decide_and_the_header_must_not_contradict() {
    let (_, image) = loaded();
    let other = Digest::sha256(b"other").to_string();
    let sha512 = format!("sha512:{}", "a".repeat(128));
    let flip: fn(Bytes) -> Bytes = |body| {
        let mut body = body.to_vec();
        let end = body.len() - 2;
        body[end] ^= 1;
        body.into()
    };
    let by_tag = tag;
    let by_digest = || TagOrDigest::Digest(digest(&image.root));
    let cases: [(&str, TagOrDigest, Action, Result<(), Kind>); 8] = [
        (
            "another digest in the header",
            by_tag(),
            Action::SetHeader(DIGEST, other.clone()),
            Err(Kind::DigestMismatch),
        ),
        (
            "the same, by digest",
            by_digest(),
            Action::SetHeader(DIGEST, other),
            Err(Kind::DigestMismatch),
        ),
        (
            "a digest of another algorithm that is wrong",
            by_tag(),
            Action::SetHeader(DIGEST, sha512),
            Err(Kind::DigestMismatch),
        ),
        (
            "no header",
            by_digest(),
            Action::RemoveHeader(DIGEST),
            Ok(()),
        ),
        (
            "a header that is no digest",
            by_tag(),
            Action::SetHeader(DIGEST, "md5:0".to_owned()),
            Ok(()),
        ),
        (
            "a flipped byte, by digest",
            by_digest(),
            Action::map_body(flip),
            Err(Kind::DigestMismatch),
        ),
        (
            "a type that the body denies",
            by_tag(),
            Action::SetHeader(
                "content-type",
                "application/vnd.oci.image.index.v1+json".to_owned(),
            ),
            Err(Kind::Protocol),
        ),
        (
            "a web page",
            by_tag(),
            Action::Respond(Reply::new(200).body("<html>")),
            Err(Kind::Protocol),
        ),
    ];
    for (name, target, fault, expected) in cases {
        let (registry, image) = loaded();
        registry.on("GET", "/manifests/").does(fault);
        let found = client(&registry)
            .fetch_manifest(&repository(), &target)
            .await;
        assert_eq!(kind(found), expected.map(|()| parsed(&image)), "{name}");
    }
}

#[tokio::test]
async fn a_head_by_digest_that_names_another_digest_is_an_error() {
    let (registry, image) = loaded();
    let other = Digest::sha256(b"other").to_string();
    registry
        .on("HEAD", "/manifests/")
        .does(Action::SetHeader(DIGEST, other));
    let target = TagOrDigest::Digest(digest(&image.root));
    let found = client(&registry)
        .resolve(&repository(), &target, None)
        .await;
    assert_eq!(kind(found), Err(Kind::DigestMismatch));
}

#[tokio::test]
async fn no_more_than_four_mebibytes_are_read() {
    const MOST: usize = 4 << 20;
    let too_large = Bytes::from(vec![b' '; MOST + 1]);
    let cases = [
        (
            "one byte too many",
            Action::Respond(Reply::new(200).body(too_large)),
        ),
        ("no end", Action::Endless),
    ];
    for (name, fault) in cases {
        let (registry, _) = loaded();
        registry.on("GET", "/manifests/").does(fault);
        let client = client(&registry);
        let found = client.fetch_manifest(&repository(), &tag()).await;
        assert_eq!(kind(found), Err(Kind::Protocol), "{name}");
        assert!(client.traffic().bytes_read < 2 * MOST as u64, "{name}");
    }
}

#[tokio::test]
async fn a_manifest_that_breaks_off_is_fetched_again() {
    let (registry, image) = loaded();
    registry
        .on("GET", "/manifests/")
        .first(2)
        .does(Action::CutBody(20));
    let client = client(&registry);
    let found = client.fetch_manifest(&repository(), &tag()).await;
    assert_eq!(kind(found), Ok(parsed(&image)));
    assert_eq!(client.traffic().pulls, 3);
}

#[tokio::test]
async fn a_stored_manifest_must_have_the_digest_that_was_sent() {
    let wrong = Action::SetHeader(DIGEST, Digest::sha256(b"other").to_string());
    let committed = Action::CommitThen(Reply::new(500));
    let unknown = Action::Respond(Reply::error(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown"));
    let cases = [
        (
            "as specified",
            Action::SetHeader("x-odd", "1".to_owned()),
            Ok(()),
        ),
        ("no digest", Action::RemoveHeader(DIGEST), Ok(())),
        ("another digest", wrong, Err((Kind::DigestMismatch, None))),
        ("stored, but answered 500", committed, Ok(())),
        (
            "a blob is missing",
            unknown,
            Err((Kind::Rejected, Some("MANIFEST_BLOB_UNKNOWN".to_owned()))),
        ),
        (
            "the tag is immutable",
            Action::Respond(Reply::new(412)),
            Err((Kind::TagImmutable, None)),
        ),
    ];
    for (name, fault, expected) in cases {
        let (registry, image) = loaded();
        registry.on("PUT", "/manifests/").nth(1).does(fault);
        let target = TagOrDigest::Tag("v2".parse().unwrap());
        let stored = client(&registry)
            .put_manifest(&repository(), &target, &parsed(&image))
            .await;
        let stored = stored
            .map(|stored| assert!(!stored.subject_indexed))
            .map_err(|error| (error.kind(), error.code().map(str::to_owned)));
        assert_eq!(stored, expected, "{name}");
    }
}

/// Answers to HEAD that are wrong of a manifest that is there, and whether that is learned.
#[tokio::test]
async fn a_head_that_fails_is_not_sent_again() {
    let cases = [
        ("400", Action::Respond(Reply::new(400)), true),
        ("405", Action::Respond(Reply::new(405)), true),
        ("410", Action::Respond(Reply::new(410)), true),
        ("500", Action::Respond(Reply::new(500)), true),
        ("501", Action::Respond(Reply::new(501)), true),
        ("403 of storage", Action::Respond(Reply::new(403)), true),
        ("no digest", Action::RemoveHeader(DIGEST), true),
        ("404", Action::Respond(Reply::new(404)), false),
    ];
    for (name, fault, is_learned) in cases {
        let (registry, image) = loaded();
        registry.on("HEAD", "/manifests/").does(fault);
        let client = client(&registry);
        for _ in 0..3 {
            let found = client.resolve(&repository(), &tag(), None).await;
            assert_eq!(kind(found), Ok(Some(resolved(&image))), "{name}");
        }
        let methods: Vec<_> = exchanges(&registry)
            .into_iter()
            .map(|(method, _)| method)
            .collect();
        let expected: &[&str] = if is_learned {
            &["HEAD", "GET", "GET", "GET"]
        } else {
            &["HEAD", "GET", "HEAD", "GET", "HEAD", "GET"]
        };
        assert_eq!(methods, expected, "{name}");
    }
}

#[tokio::test]
async fn where_head_is_not_asked_an_unchanged_manifest_is_not_read_again() {
    let (registry, image) = loaded();
    registry.on("HEAD", "/manifests/").responds(Reply::new(500));
    let client = client(&registry);
    let known = digest(&image.root);
    for _ in 0..2 {
        let found = client.resolve(&repository(), &tag(), Some(&known)).await;
        assert_eq!(kind(found).unwrap().unwrap().digest, known);
    }
    let expected = [("HEAD", 500), ("GET", 304), ("GET", 304)];
    let expected = expected.map(|(method, status)| (method.to_owned(), status));
    assert_eq!(exchanges(&registry), expected);
}

#[tokio::test]
async fn an_error_has_the_words_that_come_with_a_get() {
    for status in [400, 403, 405, 418] {
        let (registry, _) = loaded();
        let refusal = Reply::error(status, "DENIED", "no");
        registry
            .on("HEAD", "/manifests/")
            .responds(Reply::new(status));
        registry.on("GET", "/manifests/").responds(refusal);
        let error = client(&registry)
            .resolve(&repository(), &tag(), None)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some("DENIED"), "{status}");
        assert_eq!(exchanges(&registry).len(), 2, "{status}");
    }
}

#[tokio::test]
async fn the_body_says_what_a_manifest_is_where_the_header_does_not() {
    let types = [
        "application/octet-stream",
        "binary/octet-stream",
        "text/plain; charset=utf-8",
        "application/json",
        "text/html",
        "application/x-www-form-urlencoded",
        "",
        "Application/Vnd.OCI.Image.Manifest.v1+JSON; charset=utf-8",
    ];
    let faults = types.map(|name| Action::SetHeader("content-type", name.to_owned()));
    for fault in faults
        .into_iter()
        .chain([Action::RemoveHeader("content-type")])
    {
        let (registry, image) = loaded();
        registry.on("*", "/manifests/").does(fault);
        let client = client(&registry);
        let found = client.fetch_manifest(&repository(), &tag()).await;
        assert_eq!(kind(found), Ok(parsed(&image)));
    }
}
