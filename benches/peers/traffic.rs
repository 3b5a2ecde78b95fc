// SPDX-License-Identifier: Apache-2.0

//! What a registry was asked, by its own access log.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::support::access_log::{Request, Resource};

/// The requests of one run at one registry, or summed over several.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Traffic {
    /// How many there were of each kind: `GET manifest`.
    pub(crate) requests: BTreeMap<String, usize>,
    /// Manifests that were fetched: what pull limits count.
    pub(crate) pulls: usize,
    /// Bytes of blobs that were read.
    pub(crate) bytes_read: u64,
    /// Bytes of blobs that were written.
    pub(crate) bytes_written: u64,
    /// Blobs that came from another repository of the registry.
    pub(crate) mounts: usize,
}

impl Traffic {
    /// Counts the requests; `sizes` are those of the blobs, since logs do not tell how much was uploaded.
    pub(crate) fn of(requests: &[Request], sizes: &BTreeMap<&str, usize>) -> Self {
        let mut traffic = Self::default();
        for request in requests {
            traffic.add(request, sizes);
        }
        traffic
    }

    /// All requests.
    pub(crate) fn total(&self) -> usize {
        self.requests.values().sum()
    }

    fn add(&mut self, request: &Request, sizes: &BTreeMap<&str, usize>) {
        let resource = request.resource();
        let kind = format!("{} {}", request.method, name(resource));
        *self.requests.entry(kind).or_default() += 1;
        match (request.method.as_str(), resource) {
            ("GET", Resource::Manifest) => self.pulls += 1,
            ("GET", Resource::Blob) => self.bytes_read += request.bytes,
            ("PUT", Resource::Upload) if request.status == 201 => {
                let size = committed(&request.path).and_then(|digest| sizes.get(digest.as_str()));
                self.bytes_written += size.map_or(0, |size| *size as u64);
            }
            ("POST", Resource::Upload) if request.status == 201 => self.mounts += 1,
            _ => {}
        }
    }
}

/// The digest with which an upload ends.
fn committed(path: &str) -> Option<String> {
    let (_, query) = path.split_once('?')?;
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("digest="))?;
    Some(value.replace("%3A", ":").replace("%3a", ":"))
}

fn name(resource: Resource) -> &'static str {
    match resource {
        Resource::Base => "/v2/",
        Resource::Catalog => "catalog",
        Resource::Tags => "tags",
        Resource::Manifest => "manifest",
        Resource::Blob => "blob",
        Resource::Upload => "upload",
        Resource::Referrers => "referrers",
        Resource::Other => "other",
    }
}
