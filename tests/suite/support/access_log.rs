// SPDX-License-Identifier: Apache-2.0

//! What a registry says it was asked.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

/// The harness's own `User-Agent`; its requests are left out of what a test counts.
pub const HARNESS_AGENT: &str = "transship-harness";

/// One line of an access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The status answered.
    pub status: u16,
    /// Bytes of the answer's body; for HEAD what registries log varies.
    pub bytes: u64,
    /// The client's `User-Agent`.
    pub user_agent: String,
}

/// What a request was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// `/v2/` itself.
    Base,
    /// The list of repositories.
    Catalog,
    /// A list of tags.
    Tags,
    /// A manifest or index.
    Manifest,
    /// A blob.
    Blob,
    /// An upload session.
    Upload,
    /// A list of referrers.
    Referrers,
    /// Anything else.
    Other,
}

/// A log file in the combined format that distribution writes, read as it grows.
pub struct LogFile {
    path: PathBuf,
    read: Mutex<(usize, Vec<Request>)>,
}

impl Request {
    /// Reads a line such as
    /// `127.0.0.1 - - [23/Nov/2026:22:54:53 +0000] "GET /v2/?x=1 HTTP/1.1" 200 2 "" "curl/7.88.1"`;
    /// other lines of the same output give nothing.
    pub fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once("] \"")?;
        let (request, rest) = rest.split_once("\" ")?;
        let mut request = request.split(' ');
        let (method, path) = (request.next()?, request.next()?);
        let mut quoted = rest.split('"');
        let mut numbers = quoted.next()?.split_whitespace();
        Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            status: numbers.next()?.parse().ok()?,
            bytes: numbers.next()?.parse().unwrap_or(0),
            user_agent: quoted.nth(2).unwrap_or_default().to_owned(),
        })
    }

    /// What it was about.
    pub fn resource(&self) -> Resource {
        let path = self.path.split('?').next().unwrap_or_default();
        let has = |part| path.contains(part);
        match path {
            "/v2/" | "/v2" => Resource::Base,
            "/v2/_catalog" => Resource::Catalog,
            _ if has("/blobs/uploads/") => Resource::Upload,
            _ if has("/blobs/") => Resource::Blob,
            _ if has("/manifests/") => Resource::Manifest,
            _ if has("/referrers/") => Resource::Referrers,
            _ if path.ends_with("/tags/list") => Resource::Tags,
            _ => Resource::Other,
        }
    }

    /// Whether it asks for a change.
    pub fn is_mutating(&self) -> bool {
        is_mutating(&self.method)
    }
}

/// Whether a method asks for a change.
pub fn is_mutating(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH" | "DELETE")
}

/// How many requests have this method and resource.
pub fn count(requests: &[Request], method: &str, resource: Resource) -> usize {
    requests
        .iter()
        .filter(|request| request.method == method && request.resource() == resource)
        .count()
}

impl LogFile {
    /// Follows a file from its beginning.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: Mutex::default(),
        }
    }

    /// Every request logged so far.
    pub fn requests(&self) -> Vec<Request> {
        let mut read = self.read.lock().unwrap();
        let (offset, requests) = &mut *read;
        let bytes = fs::read(&self.path).unwrap_or_default();
        let new = &bytes[*offset..];
        // A line that is still being written is read next time.
        let complete = new
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        requests.extend(
            String::from_utf8_lossy(&new[..complete])
                .lines()
                .filter_map(Request::parse),
        );
        *offset += complete;
        requests.clone()
    }
}
