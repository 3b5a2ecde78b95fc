// SPDX-License-Identifier: Apache-2.0

//! What a registry names in an error as missing: blobs, or manifests of an index.

use crate::oci::Digest;

/// The digests in the body of an error, in their order, each as often as it stands there.
///
/// Where they stand differs: distribution puts a digest into `detail`, zot an object with one, others
/// write it into the message. What else a body may name is for the reader to tell apart.
pub(super) fn digests_in(body: &[u8]) -> Vec<Digest> {
    body.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b':')
        .filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_wherever_they_stand() {
        let (one, two) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
        let cases = [
            (
                format!(
                    r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":"{one}"}}]}}"#
                ),
                vec![one.clone()],
            ),
            (
                format!(
                    r#"{{"errors":[{{"code":"BLOB_UNKNOWN","detail":{{"digest":"{one}"}}}},{{"code":"BLOB_UNKNOWN","detail":[{{"Digest":"{two}"}}]}}]}}"#
                ),
                vec![one.clone(), two.clone()],
            ),
            (
                format!(
                    r#"{{"errors":[{{"code":"MANIFEST_UNKNOWN","message":"team/app@{two} is unknown"}}]}}"#
                ),
                vec![two.clone()],
            ),
            (format!("no blob {one}, nor {two}."), vec![one, two]),
            (r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#.to_owned(), vec![]),
            (
                "sha256:abc sha256: md5:d41d8cd98f00b204e9800998ecf8427e".to_owned(),
                vec![],
            ),
            (String::new(), vec![]),
        ];
        for (body, expected) in cases {
            assert_eq!(digests_in(body.as_bytes()), expected, "{body}");
        }
        assert!(digests_in(&[0xff, b':', 0xc3]).is_empty());
    }
}
