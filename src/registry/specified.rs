// SPDX-License-Identifier: Apache-2.0

//! URLs of the distribution specification, told from those of storage. Pure.

use url::Url;

use crate::oci::Repository;

/// Whether a URL is one of the distribution specification, so that a registry answers there.
pub(super) fn is_of_registry(url: &Url) -> bool {
    repository(url).is_some()
}

/// The repository in a URL of the distribution specification that reads one.
pub(super) fn repository(url: &Url) -> Option<Repository> {
    let path = url.path().strip_prefix("/v2/")?;
    let endpoints = ["/manifests/", "/blobs/", "/tags/", "/referrers/"];
    let (name, _) = endpoints.iter().find_map(|part| path.rsplit_once(part))?;
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_registries() {
        let cases = [
            ("https://ghcr.io/v2/team/app/manifests/v1", Some("team/app")),
            ("https://ghcr.io/v2/app/blobs/sha256:00?x=y", Some("app")),
            ("https://ghcr.io/v2/team/app/tags/list", Some("team/app")),
            ("https://ghcr.io/v2/a/referrers/sha256:00", Some("a")),
            ("https://ghcr.io/v2/manifests/blobs/x", Some("manifests")),
            ("https://ghcr.io/v2/", None),
            ("https://ghcr.io/v2/_catalog", None),
            ("https://ghcr.io/v1/app/manifests/v1", None),
            ("https://ghcr.io/v2/App/manifests/v1", None),
            ("https://ghcr.io/v2/%61/manifests/v1", None),
            ("https://ghcr.io/v2//manifests/v1", None),
            ("https://storage.test/bucket/blobs/x", None),
            ("https://login.test/?to=/v2/app/manifests/v1", None),
        ];
        for (url, expected) in cases {
            let found = repository(&url.parse().unwrap());
            let found = found.as_ref().map(Repository::as_str);
            assert_eq!(found, expected, "{url}");
        }
    }
}
