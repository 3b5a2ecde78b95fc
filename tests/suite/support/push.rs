// SPDX-License-Identifier: Apache-2.0

//! Puts images into a registry.

use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::client::Client;
use super::content::{Blob, FoundBy, Image};
use super::corpus::Corpus;

/// How many blobs or images are on their way at a time.
const CONCURRENCY: usize = 4;

impl Client {
    /// Pushes an image with everything that belongs to it: blobs, children, root under a tag, referrers,
    /// signature tags, and fallback tags where the registry has no referrers API.
    ///
    /// # Panics
    /// If the registry refuses any of it.
    pub async fn push(&self, repository: &str, tag: &str, image: &Image) {
        let uploads = image
            .all_blobs()
            .map(|blob| self.push_blob(repository, blob));
        stream::iter(uploads)
            .buffer_unordered(CONCURRENCY)
            .collect::<()>()
            .await;
        for child in &image.children {
            self.push_manifest(repository, &child.digest, child).await;
        }
        self.push_manifest(repository, tag, &image.root).await;
        let mut has_referrers_api = true;
        for referrer in &image.referrers {
            match &referrer.found_by {
                FoundBy::Tag(tag) => drop(
                    self.push_manifest(repository, tag, &referrer.manifest)
                        .await,
                ),
                FoundBy::Subject => {
                    has_referrers_api &= self
                        .push_manifest(repository, &referrer.manifest.digest, &referrer.manifest)
                        .await;
                }
            }
        }
        if !has_referrers_api {
            for subject in image.subjects() {
                let (tag, index) = image.fallback_index(subject);
                self.push_manifest(repository, &tag, &index).await;
            }
        }
    }

    /// Pushes every image of a corpus.
    pub async fn push_corpus(&self, corpus: &Corpus) {
        let pushes = corpus
            .images()
            .map(|(repository, tag, image)| self.push(repository, tag, image));
        stream::iter(pushes)
            .buffer_unordered(CONCURRENCY)
            .collect::<()>()
            .await;
    }

    /// Uploads a blob unless the repository has it.
    ///
    /// # Panics
    /// If the registry refuses it.
    pub async fn push_blob(&self, repository: &str, blob: &Blob) {
        let known = self
            .head(&format!("/v2/{repository}/blobs/{}", blob.digest))
            .await
            .unwrap();
        if known.status == 200 {
            return;
        }
        let session = self
            .send(
                "POST",
                &format!("/v2/{repository}/blobs/uploads/"),
                &[],
                Bytes::new(),
            )
            .await
            .unwrap();
        assert_eq!(
            session.status, 202,
            "upload session in {repository}: {:?}",
            session.body
        );
        let location = session.header("location").expect("a location");
        let separator = if location.contains('?') { '&' } else { '?' };
        let target = format!("{location}{separator}digest={}", blob.digest);
        let headers = [("content-type", "application/octet-stream")];
        let stored = self
            .send("PUT", &target, &headers, blob.bytes.clone())
            .await
            .unwrap();
        assert_eq!(
            stored.status, 201,
            "blob {} in {repository}: {:?}",
            blob.digest, stored.body
        );
    }

    /// Pushes a manifest under a tag or digest; says whether the registry took note of its subject.
    ///
    /// # Panics
    /// If the registry refuses it.
    pub async fn push_manifest(&self, repository: &str, reference: &str, manifest: &Blob) -> bool {
        let headers = [("content-type", manifest.media_type.as_str())];
        let path = format!("/v2/{repository}/manifests/{reference}");
        let stored = self
            .send("PUT", &path, &headers, manifest.bytes.clone())
            .await
            .unwrap();
        assert_eq!(
            stored.status, 201,
            "manifest {reference} in {repository}: {:?}",
            stored.body
        );
        stored.header("oci-subject").is_some()
    }
}
