// SPDX-License-Identifier: Apache-2.0

//! The distribution specification, spoken by a store.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::super::super::content::{Blob, media_type};
use super::super::super::digest::{self, sha256};
use super::super::super::http::{Reply, Request};
use super::Store;

/// What a path below `/v2/` names.
enum Target<'a> {
    Base,
    Catalog,
    Tags(&'a str),
    Manifest(&'a str, &'a str),
    Blob(&'a str, &'a str),
    Uploads(&'a str),
    Upload(&'a str, &'a str),
    Referrers(&'a str, &'a str),
    Unknown,
}

impl<'a> Target<'a> {
    fn parse(path: &'a str) -> Self {
        let Some(path) = path.strip_prefix("/v2/") else {
            return Self::Unknown;
        };
        let split = |part| path.rsplit_once(part);
        match path {
            "" => Self::Base,
            "_catalog" => Self::Catalog,
            _ => {
                if let Some((repository, "")) = split("/tags/list") {
                    Self::Tags(repository)
                } else if let Some((repository, reference)) = split("/manifests/") {
                    Self::Manifest(repository, reference)
                } else if let Some((repository, session)) = split("/blobs/uploads/") {
                    if session.is_empty() {
                        Self::Uploads(repository)
                    } else {
                        Self::Upload(repository, session)
                    }
                } else if let Some((repository, digest)) = split("/blobs/") {
                    Self::Blob(repository, digest)
                } else if let Some((repository, digest)) = split("/referrers/") {
                    Self::Referrers(repository, digest)
                } else {
                    Self::Unknown
                }
            }
        }
    }
}

impl Store {
    /// Does what is asked.
    pub(in super::super) fn answer(&mut self, request: &Request) -> Reply {
        if let Some(reply) = self.own(request) {
            return reply;
        }
        match (request.method.as_str(), Target::parse(&request.path)) {
            ("DELETE", Target::Manifest(..)) if self.abilities.deletes_nothing => {
                Reply::error(405, "UNSUPPORTED", "the operation is unsupported")
            }
            ("POST", Target::Uploads(repository)) | ("PUT", Target::Manifest(repository, _))
                if self.abilities.wants_repositories
                    && !self.repositories.contains_key(repository) =>
            {
                Reply::error(
                    404,
                    "NAME_UNKNOWN",
                    "The repository does not exist in the registry",
                )
            }
            ("GET" | "HEAD", Target::Base) => Reply::json(200, &json!({})),
            ("GET", Target::Catalog) => self.list_repositories(request),
            ("GET", Target::Tags(repository)) => self.list_tags(repository, request),
            ("GET" | "HEAD", Target::Manifest(repository, reference)) => {
                self.read_manifest(repository, reference, request)
            }
            ("PUT", Target::Manifest(repository, reference)) => {
                self.put_manifest(repository, reference, request)
            }
            ("DELETE", Target::Manifest(repository, reference)) => {
                self.delete_manifest(repository, reference)
            }
            ("GET" | "HEAD", Target::Blob(repository, digest)) => {
                self.read_blob(repository, digest, request)
            }
            ("DELETE", Target::Blob(repository, digest)) => {
                match self.repository(repository).blobs.remove(digest) {
                    Some(_) => Reply::new(202),
                    None => blob_unknown(),
                }
            }
            ("POST", Target::Uploads(repository)) => self.open_upload(repository, request),
            ("PATCH" | "PUT" | "GET" | "DELETE", Target::Upload(repository, session)) => {
                self.continue_upload(repository, session, request)
            }
            ("GET", Target::Referrers(repository, subject)) if self.abilities.referrers => {
                self.list_referrers(repository, subject, request)
            }
            (_, Target::Unknown | Target::Referrers(..)) => Reply::new(404)
                .header("content-type", "text/plain")
                .body("404 page not found\n"),
            _ => Reply::error(405, "UNSUPPORTED", "the operation is unsupported"),
        }
    }

    fn list_repositories(&self, request: &Request) -> Reply {
        let names: Vec<&str> = self.repositories.keys().map(String::as_str).collect();
        self.page(request, &names, |names| json!({"repositories": names}))
    }

    fn list_tags(&self, repository: &str, request: &Request) -> Reply {
        match self.repositories.get(repository) {
            Some(found) => {
                let tags: Vec<&str> = found.tags.keys().map(String::as_str).collect();
                self.page(
                    request,
                    &tags,
                    |tags| json!({"name": repository, "tags": tags}),
                )
            }
            None => Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry"),
        }
    }

    /// One page of a sorted list, with a link to the next.
    fn page(&self, request: &Request, items: &[&str], body: impl Fn(&[&str]) -> Value) -> Reply {
        let last = request.parameter("last").unwrap_or_default();
        let asked = request
            .parameter("n")
            .and_then(|n| n.parse().ok())
            .unwrap_or(usize::MAX);
        let size = self.abilities.page_size.min(asked);
        let rest = &items[items.partition_point(|item| *item <= last.as_str())..];
        let page = &rest[..size.min(rest.len())];
        let reply = Reply::json(200, &body(page));
        match page.last() {
            Some(last) if page.len() < rest.len() => {
                let last: String = url::form_urlencoded::byte_serialize(last.as_bytes()).collect();
                reply.header(
                    "link",
                    &format!("<{}?last={last}&n={size}>; rel=\"next\"", request.path),
                )
            }
            Some(_) | None => reply,
        }
    }

    fn read_manifest(&self, repository: &str, reference: &str, request: &Request) -> Reply {
        let Some(manifest) = self.manifest(repository, reference) else {
            if self.abilities.hides_the_absent {
                return Reply::error(403, "DENIED", "forbidden");
            }
            return Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
        };
        let etag = format!("\"{}\"", manifest.digest);
        if request
            .headers
            .value("if-none-match")
            .is_some_and(|known| known.trim_matches('"') == manifest.digest)
        {
            return Reply::new(304).header("etag", &etag);
        }
        Reply::new(200)
            .header("content-type", &manifest.media_type)
            .header("docker-content-digest", &manifest.digest)
            .header("etag", &etag)
            .body(manifest.bytes)
    }

    fn put_manifest(&mut self, repository: &str, reference: &str, request: &Request) -> Reply {
        if reference.contains(':') && !digest::matches(reference, &request.body) {
            return Reply::error(
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            );
        }
        let Ok(document) = serde_json::from_slice::<Value>(&request.body) else {
            return Reply::error(400, "MANIFEST_INVALID", "manifest invalid");
        };
        if let Some(missing) = self.first_missing(repository, &document) {
            return Reply::error(
                400,
                "MANIFEST_BLOB_UNKNOWN",
                &format!("{missing} is unknown"),
            );
        }
        let digest = if reference.contains(':') {
            reference.to_owned()
        } else {
            sha256(&request.body)
        };
        let media_type = request
            .headers
            .value("content-type")
            .unwrap_or_default()
            .to_owned();
        let manifest = Blob {
            digest: digest.clone(),
            bytes: request.body.clone(),
            media_type,
        };
        self.load_manifest(repository, reference, &manifest);
        let reply = Reply::new(201)
            .header("location", &format!("/v2/{repository}/manifests/{digest}"))
            .header("docker-content-digest", &digest);
        match document["subject"]["digest"].as_str() {
            Some(subject) if self.abilities.referrers => reply.header("oci-subject", subject),
            Some(_) | None => reply,
        }
    }

    fn first_missing(&self, repository: &str, document: &Value) -> Option<String> {
        let digests = |field: &str| document[field].as_array().cloned().unwrap_or_default();
        let named = |descriptor: &Value| descriptor["digest"].as_str().map(str::to_owned);
        let children = digests("manifests")
            .iter()
            .filter_map(named)
            .find(|digest| self.manifest(repository, digest).is_none());
        let stored = |layer: &&Value| layer.get("urls").is_none();
        let mut blobs: Vec<String> = digests("layers")
            .iter()
            .filter(stored)
            .filter_map(named)
            .collect();
        blobs.extend(named(&document["config"]));
        children
            .or_else(|| {
                blobs
                    .into_iter()
                    .find(|digest| self.blob(repository, digest).is_none())
            })
            .filter(|_| !self.abilities.sparse)
    }

    fn delete_manifest(&mut self, repository: &str, reference: &str) -> Reply {
        let tag = self.tag_for(reference);
        let takes_along = self.abilities.takes_manifests_along;
        let repository = self.repository(repository);
        let digest = repository.tags.get(&tag).filter(|_| takes_along);
        let digest = digest.cloned();
        let reference = digest.as_deref().unwrap_or(reference);
        let found = if reference.contains(':') {
            repository.tags.retain(|_, digest| digest != reference);
            repository.manifests.remove(reference).is_some()
        } else {
            repository.tags.remove(&tag).is_some()
        };
        if found {
            Reply::new(202)
        } else {
            Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        }
    }

    fn read_blob(&self, repository: &str, digest: &str, request: &Request) -> Reply {
        let Some(bytes) = self.blob(repository, digest).cloned() else {
            return blob_unknown();
        };
        let reply = Reply::new(200)
            .header("content-type", "application/octet-stream")
            .header("docker-content-digest", digest)
            .header("etag", &format!("\"{digest}\""))
            .header("accept-ranges", "bytes");
        let Some(range) = request.headers.value("range") else {
            return reply.body(bytes);
        };
        let Some((first, last)) = parse_range(range, bytes.len()) else {
            return Reply::new(416).header("content-range", &format!("bytes */{}", bytes.len()));
        };
        let content_range = format!("bytes {first}-{last}/{}", bytes.len());
        Reply {
            status: 206,
            ..reply
                .header("content-range", &content_range)
                .body(bytes.slice(first..=last))
        }
    }

    fn open_upload(&mut self, repository: &str, request: &Request) -> Reply {
        if let (Some(digest), Some(from), true) = (
            request.parameter("mount"),
            request.parameter("from"),
            self.abilities.mounts,
        ) && let Some(bytes) = self.blob(&from, &digest).cloned()
        {
            self.repository(repository)
                .blobs
                .insert(digest.clone(), bytes);
            return created(repository, &digest);
        }
        if let Some(digest) = request.parameter("digest") {
            return self.commit(repository, &digest, request.body.clone());
        }
        self.sessions += 1;
        let session = format!("session-{}", self.sessions);
        self.uploads.insert(session.clone(), BytesMut::new());
        self.repository(repository);
        Reply::new(202)
            .header(
                "location",
                &format!("/v2/{repository}/blobs/uploads/{session}"),
            )
            .header("docker-upload-uuid", &session)
            .header("range", "0-0")
    }

    fn continue_upload(&mut self, repository: &str, session: &str, request: &Request) -> Reply {
        let Some(mut received) = self.uploads.remove(session) else {
            return Reply::error(
                404,
                "BLOB_UPLOAD_UNKNOWN",
                "blob upload unknown to registry",
            );
        };
        let progress = |received: &BytesMut, status| {
            Reply::new(status)
                .header(
                    "location",
                    &format!("/v2/{repository}/blobs/uploads/{session}"),
                )
                .header("range", &format!("0-{}", received.len().saturating_sub(1)))
        };
        let start = request
            .headers
            .value("content-range")
            .and_then(|range| range.split('-').next()?.parse::<usize>().ok());
        let reply = match request.method.as_str() {
            "DELETE" => return Reply::new(204),
            "GET" => progress(&received, 204),
            _ if start.is_some_and(|start| start != received.len()) => progress(&received, 416),
            "PATCH" => {
                received.extend_from_slice(&request.body);
                progress(&received, 202)
            }
            _ => {
                received.extend_from_slice(&request.body);
                return self.commit(
                    repository,
                    &request.parameter("digest").unwrap_or_default(),
                    received.freeze(),
                );
            }
        };
        self.uploads.insert(session.to_owned(), received);
        reply
    }

    fn commit(&mut self, repository: &str, digest: &str, bytes: Bytes) -> Reply {
        if !digest::matches(digest, &bytes) {
            return Reply::error(
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            );
        }
        self.repository(repository)
            .blobs
            .insert(digest.to_owned(), bytes);
        created(repository, digest)
    }

    fn list_referrers(&self, repository: &str, subject: &str, request: &Request) -> Reply {
        let manifests = self
            .repositories
            .get(repository)
            .into_iter()
            .flat_map(|repository| repository.manifests.values());
        let mut entries: Vec<Value> = manifests
            .filter_map(|manifest| referrer_entry(manifest, subject))
            .collect();
        entries.sort_by_key(|entry| entry["digest"].as_str().map(str::to_owned));
        let filter = request.parameter("artifactType");
        if let Some(artifact_type) = &filter {
            entries.retain(|entry| entry["artifactType"] == artifact_type.as_str());
        }
        let index =
            json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries});
        let reply = Reply::new(200)
            .header("content-type", media_type::OCI_INDEX)
            .body(index.to_string());
        if filter.is_some() {
            reply.header("oci-filters-applied", "artifactType")
        } else {
            reply
        }
    }
}

fn referrer_entry(manifest: &Blob, subject: &str) -> Option<Value> {
    let document: Value = serde_json::from_slice(&manifest.bytes).ok()?;
    if document["subject"]["digest"] != subject {
        return None;
    }
    let mut entry = manifest.descriptor();
    entry["artifactType"] = document
        .get("artifactType")
        .unwrap_or(&document["config"]["mediaType"])
        .clone();
    if let Some(annotations) = document.get("annotations") {
        entry["annotations"] = annotations.clone();
    }
    Some(entry)
}

/// `bytes=first-[last]`, both inclusive and within a body of `size` bytes.
fn parse_range(range: &str, size: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let last = if last.is_empty() {
        usize::MAX
    } else {
        last.parse().ok()?
    };
    (first < size && first <= last).then(|| (first, last.min(size - 1)))
}

fn created(repository: &str, digest: &str) -> Reply {
    Reply::new(201)
        .header("location", &format!("/v2/{repository}/blobs/{digest}"))
        .header("docker-content-digest", digest)
}

fn blob_unknown() -> Reply {
    Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry")
}
