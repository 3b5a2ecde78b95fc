// SPDX-License-Identifier: Apache-2.0

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(content).as_str(), "size": content.len()})
}

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", b"layer")],
    })
}

fn index() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": [descriptor(media_type::OCI_MANIFEST, b"child")],
    })
}

fn with(mut document: Value, key: &str, value: Value) -> Value {
    document[key] = value;
    document
}

fn without(mut document: Value, key: &str) -> Value {
    document.as_object_mut().unwrap().remove(key);
    document
}

fn parse(document: &Value, content_type: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(
        Bytes::from(document.to_string()),
        Some(&MediaType::from(content_type)),
        None,
    )
}

#[test]
fn what_must_pass_passes() {
    let unknown_config = with(
        image(),
        "config",
        descriptor("application/x-anything", b"cfg"),
    );
    let empty_layer = with(image(), "layers", json!([descriptor("application/x", b"")]));
    let nested = with(
        index(),
        "manifests",
        json!([descriptor(media_type::OCI_INDEX, b"inner")]),
    );
    let unknown_child = with(
        index(),
        "manifests",
        json!([descriptor("application/x-child", b"?")]),
    );
    let artifact = json!({"mediaType": media_type::OCI_ARTIFACT, "artifactType": "application/x", "blobs": [descriptor("a/b", b"x")]});
    let cases = [
        ("an image", image(), media_type::OCI_MANIFEST),
        ("an index", index(), media_type::OCI_INDEX),
        (
            "an index without entries",
            with(index(), "manifests", json!([])),
            media_type::OCI_INDEX,
        ),
        ("a nested index", nested, media_type::OCI_INDEX),
        (
            "an entry of unknown type",
            unknown_child,
            media_type::OCI_INDEX,
        ),
        (
            "a config of unknown type",
            unknown_config,
            media_type::OCI_MANIFEST,
        ),
        (
            "no layers",
            with(image(), "layers", json!([])),
            media_type::OCI_MANIFEST,
        ),
        (
            "a layer of zero length",
            empty_layer,
            media_type::OCI_MANIFEST,
        ),
        (
            "annotations that are null",
            with(image(), "annotations", Value::Null),
            media_type::OCI_MANIFEST,
        ),
        (
            "type parameters",
            image(),
            "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
        ),
        ("type by mediaType", image(), "application/json"),
        (
            "type by shape of an image",
            without(image(), "mediaType"),
            "text/plain",
        ),
        (
            "type by shape of an index",
            without(index(), "mediaType"),
            "",
        ),
        ("as storage serves it", image(), "binary/octet-stream"),
        (
            "as storage serves it, by shape",
            without(image(), "mediaType"),
            "binary/octet-stream",
        ),
        (
            "as a web page, by shape",
            without(index(), "mediaType"),
            "text/html; charset=utf-8",
        ),
        ("as a form", index(), "application/x-www-form-urlencoded"),
        (
            "the withdrawn artifact manifest",
            artifact,
            media_type::OCI_ARTIFACT,
        ),
    ];
    for (name, document, content_type) in cases {
        let parsed = parse(&document, content_type);
        assert!(parsed.is_ok(), "{name}: {}", parsed.unwrap_err());
    }
}

#[test]
fn what_must_be_refused_is_refused_with_its_reason() {
    let many = vec![descriptor("a/b", b"x"); limits::DESCRIPTORS + 1];
    let two_sizes = json!([
        descriptor("a/b", b"x"),
        with(descriptor("a/b", b"x"), "size", json!(2))
    ]);
    let cases = [
        (
            "an image that is also an index",
            with(image(), "manifests", json!([])),
            media_type::OCI_MANIFEST,
            "the manifest has both \"layers\" and \"manifests\": it could be read as an image and as an index",
        ),
        (
            "an index that is also an image",
            with(index(), "layers", json!([])),
            media_type::OCI_INDEX,
            "the manifest has both \"manifests\" and \"layers\": it could be read as an image and as an index",
        ),
        (
            "an index with a config",
            with(index(), "config", image()["config"].clone()),
            media_type::OCI_INDEX,
            "the manifest has both \"manifests\" and \"config\": it could be read as an image and as an index",
        ),
        (
            "header against body",
            image(),
            media_type::OCI_INDEX,
            "the manifest is served as application/vnd.oci.image.index.v1+json but says application/vnd.oci.image.manifest.v1+json of itself",
        ),
        (
            "schema 1",
            json!({"schemaVersion": 1, "fsLayers": []}),
            "application/json",
            "the manifest is of Docker's schema 1, which no registry stores any more: rebuild the image or pull and push it with a current Docker",
        ),
        (
            "a web page",
            json!({}),
            "text/html",
            "\"text/html\" is not the media type of a manifest or index",
        ),
        (
            "no config",
            without(image(), "config"),
            media_type::OCI_MANIFEST,
            "the manifest has no \"config\"",
        ),
        (
            "no entries",
            without(index(), "manifests"),
            media_type::OCI_INDEX,
            "the manifest has no \"manifests\"",
        ),
        (
            "too many layers",
            with(image(), "layers", json!(many)),
            media_type::OCI_MANIFEST,
            "the manifest has 1025 layers, at most 1024 are accepted",
        ),
        (
            "one digest with two sizes",
            with(image(), "layers", two_sizes),
            media_type::OCI_MANIFEST,
            "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 is said to have 1 bytes and 2 bytes",
        ),
        (
            "a negative size",
            with(
                image(),
                "layers",
                json!([with(descriptor("a/b", b"x"), "size", json!(-1))]),
            ),
            media_type::OCI_MANIFEST,
            "the manifest is not acceptable JSON: invalid value: integer `-1`, expected u64",
        ),
    ];
    for (name, document, content_type, expected) in cases {
        let message = parse(&document, content_type)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(message.starts_with(expected), "{name}: {message}");
    }
}

#[test]
fn bytes_are_kept_and_their_digest_is_checked() {
    let text = image().to_string();
    let digest = Digest::sha256(text.as_bytes());
    let manifest = Manifest::parse(Bytes::from(text.clone()), None, Some(&digest)).unwrap();
    assert_eq!(
        (manifest.bytes().as_ref(), manifest.digest()),
        (text.as_bytes(), &digest)
    );

    let flipped = text.replace("layer.v1", "layer.v2");
    let error = Manifest::parse(Bytes::from(flipped), None, Some(&digest)).unwrap_err();
    assert!(
        matches!(error, ManifestError::DigestMismatch { .. }),
        "{error}"
    );
}

#[test]
fn the_size_limit_is_exact() {
    let padded = |size: usize| {
        let text = image().to_string();
        let padding = " ".repeat(size - text.len());
        Manifest::parse(Bytes::from(text + &padding), None, None)
    };
    assert!(padded(limits::MANIFEST_BYTES).is_ok());
    assert!(matches!(
        padded(limits::MANIFEST_BYTES + 1),
        Err(ManifestError::TooLarge)
    ));
}

proptest! {
    #[test]
    fn anything_parses_or_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::parse(Bytes::from(bytes), None, None);
    }

    #[test]
    fn one_changed_byte_never_goes_unnoticed(place in 0_usize..200, value in any::<u8>()) {
        let text = image().to_string();
        let digest = Digest::sha256(text.as_bytes());
        let mut bytes = text.into_bytes();
        let place = place % bytes.len();
        prop_assume!(bytes[place] != value);
        bytes[place] = value;
        prop_assert!(Manifest::parse(Bytes::from(bytes), None, Some(&digest)).is_err());
    }
}
