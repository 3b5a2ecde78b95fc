// SPDX-License-Identifier: Apache-2.0

//! The lists of repositories that web sites of registries have by their APIs: where each begins, who may ask, and what
//! a page of it says.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::github::Packages;
use super::hub;
use crate::oci::{json, limits};
use crate::registry::answer::Reply;
use crate::registry::auth::challenge::{self, Challenge};
use crate::registry::auth::{Authorization, Credential};
use crate::registry::cause::Cause;
use crate::registry::connection::Connection;
use crate::registry::{link, origin, owner};

/// The most that a page may have.
const PAGE: &str = "100";

/// What a page lists, and where the next one is.
pub(super) struct Listed {
    pub(super) names: Vec<String>,
    pub(super) next: Option<Url>,
}

/// Reads a page.
pub(super) type Read = fn(&Reply, &Url, &str) -> Result<Listed, Cause>;

/// One list: where it begins, how it is asked for, how it is read.
pub(super) struct List {
    pub(super) first: Url,
    pub(super) authorization: Option<Authorization>,
    pub(super) accept: &'static str,
    pub(super) read: Read,
}

// === what APIs answer ===

#[derive(Deserialize)]
struct HubPage {
    next: Option<String>,
    results: Vec<HubRepository>,
}

#[derive(Deserialize)]
struct HubRepository {
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct QuayPage {
    next_page: Option<String>,
    repositories: Vec<HubRepository>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct AtPath {
    path: String,
}

/// Docker Hub: `GET /v2/namespaces/{namespace}/repositories`, `page_size` at most 100, and `next` in the answer
/// (<https://docs.docker.com/reference/api/hub/latest/>). Who logs in sees private repositories, too.
pub(super) async fn of_hub(connection: &Connection, namespace: &str) -> Result<List, Cause> {
    let mut first = hub::url(&format!("/v2/namespaces/{namespace}/repositories"))?;
    first.query_pairs_mut().append_pair("page_size", PAGE);
    Ok(List {
        first,
        authorization: hub::token(connection).await?,
        accept: "application/json",
        read: |reply, url, _| {
            let HubPage { next, results } = parse(reply)?;
            let names = results.into_iter();
            let names = names.map(|one| format!("{}/{}", one.namespace, one.name));
            Ok(Listed {
                names: names.collect(),
                next: next.map(|next| behind(url, &next)).transpose()?,
            })
        },
    })
}

/// GitHub: `GET /orgs/{org}/packages` and `GET /users/{username}/packages` with `package_type=container`
/// (<https://docs.github.com/en/rest/packages/packages>).
pub(super) async fn of_github(
    connection: &Connection,
    api: &str,
    owner: &str,
) -> Result<List, Cause> {
    let packages = Packages::of(connection, api);
    let Some(token) = packages.token() else {
        return Err(Cause::needs(
            "GitHub lists packages by its own API, which wants a personal access token (classic) with the scope \
             read:packages: give the registry such a token as the password",
        ));
    };
    let mut first = packages.all_of(owner).await?;
    first
        .query_pairs_mut()
        .append_pair("package_type", "container")
        .append_pair("per_page", PAGE);
    Ok(List {
        first,
        authorization: Some(token),
        accept: "application/vnd.github+json",
        read: |reply, url, namespace| {
            let (owner, _) = namespace.split_once('/').unwrap_or((namespace, ""));
            let listed: Vec<Named> = parse(reply)?;
            let names = listed.into_iter();
            let names = names.map(|one| format!("{owner}/{}", one.name).to_ascii_lowercase());
            Ok(Listed {
                names: names.collect(),
                next: link::next_page(&reply.headers, url)?,
            })
        },
    })
}

/// quay.io: `GET /api/v1/repository?namespace=…&public=true` with `next_page` in the answer (quay's
/// `endpoints/api/repository.py`). It knows no robots: only what is public is seen.
pub(super) fn of_quay(connection: &Connection, namespace: &str) -> List {
    let mut first = own_url(connection, &["api", "v1", "repository"]);
    first
        .query_pairs_mut()
        .append_pair("namespace", namespace)
        .append_pair("public", "true");
    List {
        first,
        authorization: None,
        accept: "application/json",
        read: |reply, url, _| {
            let QuayPage {
                next_page,
                repositories,
            } = parse(reply)?;
            let names = repositories.into_iter();
            let names = names.map(|one| format!("{}/{}", one.namespace, one.name));
            let next = next_page.filter(|token| !token.is_empty()).map(|token| {
                let kept = url.query_pairs().filter(|(name, _)| name != "next_page");
                let kept = kept.map(|(name, value)| (name.into_owned(), value.into_owned()));
                let kept: Vec<(String, String)> = kept.collect();
                let mut next = url.clone();
                next.query_pairs_mut()
                    .clear()
                    .extend_pairs(kept)
                    .append_pair("next_page", &token);
                next
            });
            Ok(Listed {
                names: names.collect(),
                next,
            })
        },
    }
}

/// Harbor and GitLab are known by the token server that their registries name.
pub(super) async fn of_challenge(
    connection: &Connection,
    namespace: &str,
) -> Result<Option<List>, Cause> {
    let headers = connection.ask_for_challenge(connection.url(&[""])).await?;
    for challenge in challenge::parse(&headers) {
        let Challenge::Bearer { realm, service, .. } = challenge else {
            continue;
        };
        let Ok(realm) = Url::parse(&realm) else {
            continue;
        };
        let is_own = origin::is_same(&realm, &connection.base);
        match service.as_deref() {
            Some("harbor-registry") if is_own => {
                return Ok(Some(of_harbor(connection, namespace)));
            }
            Some("container_registry")
                if (is_own || owner::is_same(&realm, &connection.base))
                    && realm.scheme() == connection.base.scheme()
                    && realm.path() == "/jwt/auth" =>
            {
                return Ok(of_gitlab(connection, &realm, namespace));
            }
            Some(_) | None => {}
        }
    }
    Ok(None)
}

/// Harbor: `GET /api/v2.0/projects/{project_name}/repositories`, whose pages are linked (its `api/v2.0/swagger.yaml`,
/// operation `listRepositories`). Its catalog is for administrators.
fn of_harbor(connection: &Connection, namespace: &str) -> List {
    let (project, _) = namespace.split_once('/').unwrap_or((namespace, ""));
    let mut first = own_url(
        connection,
        &["api", "v2.0", "projects", project, "repositories"],
    );
    first
        .query_pairs_mut()
        .append_pair("page", "1")
        .append_pair("page_size", PAGE);
    let authorization = match connection.authenticator.credential() {
        Credential::Basic { username, password } => Some(Authorization::basic(username, password)),
        Credential::Anonymous
        | Credential::IdentityToken { .. }
        | Credential::RegistryToken(_)
        | Credential::Issued(_) => None,
    };
    List {
        first,
        authorization,
        accept: "application/json",
        read: |reply, url, _| {
            let listed: Vec<Named> = parse(reply)?;
            Ok(Listed {
                names: listed.into_iter().map(|one| one.name).collect(),
                next: link::next_page(&reply.headers, url)?,
            })
        },
    }
}

/// GitLab: `GET /api/v4/groups/:id/registry/repositories`, whose pages are linked
/// (<https://docs.gitlab.com/api/container_registry/#within-a-group>), at the host that gives out its tokens. It wants an
/// access token with `read_api`.
fn of_gitlab(connection: &Connection, realm: &Url, group: &str) -> Option<List> {
    let Credential::Basic { password, .. } = connection.authenticator.credential() else {
        return None;
    };
    let mut first = realm.clone();
    first.set_query(None);
    first.set_fragment(None);
    // The slashes of a group are encoded: it is one part.
    if let Ok(mut path) = first.path_segments_mut() {
        path.clear()
            .extend(["api", "v4", "groups", group, "registry", "repositories"]);
    }
    first.query_pairs_mut().append_pair("per_page", PAGE);
    Some(List {
        first,
        authorization: Authorization::bearer(password),
        accept: "application/json",
        read: |reply, url, _| {
            let listed: Vec<AtPath> = parse(reply)?;
            Ok(Listed {
                names: listed.into_iter().map(|one| one.path).collect(),
                next: link::next_page(&reply.headers, url)?,
            })
        },
    })
}

/// The URL of a path at the registry itself.
fn own_url(connection: &Connection, parts: &[&str]) -> Url {
    let mut url = connection.base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(parts);
    }
    url
}

/// The page behind another one: with the query of a link, and nothing else of it.
fn behind(url: &Url, next: &str) -> Result<Url, Cause> {
    let linked = url.join(next).map_err(|error| {
        Cause::Protocol(format!(
            "the list of repositories names a next page that is no URL: {error}"
        ))
    })?;
    let mut next = url.clone();
    next.set_query(linked.query());
    Ok(next)
}

fn parse<T: DeserializeOwned>(reply: &Reply) -> Result<T, Cause> {
    let is_bounded = json::count_values(&reply.body) <= limits::JSON_VALUES;
    let parsed = is_bounded.then(|| serde_json::from_slice(&reply.body).ok());
    parsed.flatten().ok_or_else(|| {
        let wrong = "the list of repositories is not of the expected form".to_owned();
        reply.unusable(Cause::Protocol(wrong))
    })
}
