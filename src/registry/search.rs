// SPDX-License-Identifier: Apache-2.0

//! Searches a registry for repositories by words: `GET /v1/search` of Docker's first registry protocol, which is in no
//! specification any more, and which docker and podman still ask: Docker Hub, quay.io, registry.redhat.io, Nexus and
//! Artifactory answer it (docker/cli#1563, 2026).

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::request::Request;
use super::said::Said;
use crate::oci::{Repository, json, limits};

/// Where Docker Hub answers, which is not where its images are.
const DOCKER_HUB: &str = "index.docker.io";

/// A repository that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRepository {
    /// Its name.
    pub repository: Repository,
    /// What its owner says of it, cleaned and cut.
    pub description: Option<String>,
    /// How many people like it.
    pub stars: Option<u64>,
    /// How often it was pulled, where the registry tells.
    pub pulls: Option<u64>,
    /// Whether the registry vouches for it, as Docker Hub does for `library/…`.
    pub is_official: bool,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    results: Option<Vec<Hit>>,
}

#[derive(Deserialize)]
struct Hit {
    name: String,
    #[serde(default)]
    description: Option<String>,
    // Registries disagree on these, and none is worth a failure.
    #[serde(default)]
    star_count: Value,
    #[serde(default)]
    pull_count: Value,
    #[serde(default)]
    is_official: Value,
}

/// At most `most` repositories that words lead to, in the registry's order; None where it has no search.
pub(super) async fn search(
    connection: &Connection,
    words: &str,
    most: usize,
) -> Result<Option<Vec<FoundRepository>>, Cause> {
    let request = Request::new(
        Class::Lookup,
        Method::GET,
        url(connection, words, most),
        Scope::nothing(),
    );
    let reply = connection
        .ask(&request.limit(limits::LIST_PAGE_BYTES))
        .await?;
    match reply.status.as_u16() {
        200 if reply.is_web_page() => return Ok(None),
        200 => {}
        400 | 403 | 404 | 405 | 410 | 501 => return Ok(None),
        _ => return Err(reply.into_cause()),
    }
    let results = if json::count_values(&reply.body) > limits::JSON_VALUES {
        None
    } else {
        serde_json::from_slice::<Results>(&reply.body).ok()
    };
    let Some(results) = results else {
        let cause = "what was found is not of the expected form".to_owned();
        return Err(reply.unusable(Cause::Protocol(cause)));
    };
    let hits = results.results.unwrap_or_default().into_iter();
    let found = hits.filter_map(|hit| found(connection, hit));
    Ok(Some(found.take(most).collect()))
}

fn url(connection: &Connection, words: &str, most: usize) -> Url {
    let mut url = connection.base.clone();
    if connection.registry.is_docker_hub() {
        // A name that stands here is a host.
        let _ = url.set_host(Some(DOCKER_HUB));
    }
    url.set_path("/v1/search");
    url.query_pairs_mut()
        .append_pair("q", words)
        .append_pair("n", &most.to_string());
    url
}

/// A hit, unless nobody could ask for what it names.
fn found(connection: &Connection, hit: Hit) -> Option<FoundRepository> {
    let Hit {
        name,
        description,
        star_count,
        pull_count,
        is_official,
    } = hit;
    let is_official = is_official.as_bool().unwrap_or(false);
    let name = if connection.registry.is_docker_hub() && !name.contains('/') {
        format!("library/{name}")
    } else {
        name
    };
    let description = description.and_then(|text| Said::clean(&text, &connection.secrets));
    Some(FoundRepository {
        repository: name.parse().ok()?,
        description: description.map(|said| said.to_string()),
        stars: star_count.as_u64(),
        pulls: pull_count.as_u64(),
        is_official,
    })
}
