// SPDX-License-Identifier: Apache-2.0

//! The bounds of what Transship reads from a peer, in one place.
//!
//! They follow what registries themselves accept (distribution and zot stop at 4 MiB manifests);
//! nothing is ever allocated by a number that a peer sent.

use std::time::Duration;

/// Largest manifest or index that is read, in bytes.
pub const MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// Deepest nesting of JSON in a manifest.
pub const JSON_DEPTH: usize = 32;
/// Most values, keys counted too, in the JSON of one manifest or config: what is parsed takes a multiple of them.
pub const JSON_VALUES: usize = 65_536;
/// Most entries in `manifests` of one index, and most `layers` of one image.
pub const DESCRIPTORS: usize = 1_024;
/// Most manifests that one tag may reach, with all that refers to them.
pub const GRAPH_NODES: usize = 8_192;
/// Most bytes of manifests that one tag may reach: 64 MiB.
pub const GRAPH_BYTES: u64 = 64 * 1024 * 1024;
/// Deepest nesting of indexes below a tag.
pub const INDEX_DEPTH: usize = 3;
/// How far referrers of referrers are followed: the signature of an SBOM is at the second step.
pub const REFERRERS_DEPTH: usize = 3;
/// Largest blob, in bytes: 64 GiB.
pub const BLOB_BYTES: u64 = 64 * 1024 * 1024 * 1024;
/// Largest bundle, payload or attestation that is read to verify it, in bytes: 16 MiB. Scans are large.
pub const EVIDENCE_BYTES: usize = 16 * 1024 * 1024;
/// Most values, keys counted too, of what is signed in one of them: that of a scan with ten thousand findings.
pub const EVIDENCE_VALUES: usize = 262_144;

/// Largest answer of a token server, in bytes.
pub const TOKEN_BYTES: usize = 64 * 1024;
/// How much of an error body is read to find its code and words, in bytes.
pub const ERROR_BYTES: usize = 64 * 1024;
/// Largest page of a tag list or catalog, in bytes.
pub const LIST_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Most pages of one listing.
pub const LIST_PAGES: usize = 10_000;
/// Most bytes of all pages of one listing together: 64 MiB.
pub const LIST_BYTES: usize = 64 * 1024 * 1024;
/// Most pages of one listing with nothing new on them.
pub const BARREN_PAGES: usize = 8;
/// Longest time that the pages of one listing may take, from the first one on.
pub const LIST_TIME: Duration = Duration::from_secs(10 * 60);
/// Most tags of one repository and most repositories of one catalog.
pub const LIST_ENTRIES: usize = 250_000;
/// Longest URL of an answer that is followed, in bytes: twice what nginx takes by default
/// (<https://nginx.org/en/docs/http/ngx_http_core_module.html#large_client_header_buffers>).
pub const URL_BYTES: usize = 16 * 1024;
/// Most redirects that one request follows.
pub const REDIRECTS: usize = 5;

/// Longest time that a registry may ask us to stay away.
pub const LONGEST_REST: Duration = Duration::from_secs(6 * 60 * 60);
/// Longest wait for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the headers of an answer.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the answer to a whole upload: some stores assemble the blob only then.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Longest silence inside a body.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
