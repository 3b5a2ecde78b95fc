// SPDX-License-Identifier: Apache-2.0

//! Lists of repositories where a registry has no catalog, or shows it to nobody: those of one namespace, by the API of
//! its web site. Bounded as every other list.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::github::Packages;
use super::hub;
use super::means::Catalog;
use crate::oci::{Repository, json, limits};
use crate::registry::answer::Reply;
use crate::registry::auth::challenge::{self, Challenge};
use crate::registry::auth::{Authorization, Credential, Scope};
use crate::registry::cause::Cause;
use crate::registry::class::Class;
use crate::registry::connection::Connection;
use crate::registry::pages::Pages;
use crate::registry::request::Request;
use crate::registry::{link, origin, owner};
use crate::runtime::memory;

/// The most that a page may have.
const PAGE: &str = "100";
/// What a name takes in a list besides its letters, in bytes, about.
const NAME: usize = 128;

/// What a page lists, and where the next one is.
struct Listed {
    names: Vec<String>,
    next: Option<Url>,
}

/// Reads a page.
type Read = fn(&Reply, &Url, &str) -> Result<Listed, Cause>;

/// One list: where it begins, how it is asked for, how it is read.
struct List {
    first: Url,
    authorization: Option<Authorization>,
    accept: &'static str,
    read: Read,
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

/// The repositories that an API lists which are wanted, sorted; nothing where the catalog is to be asked, which
/// `refused` says was done in vain.
pub(in crate::registry) async fn repositories(
    connection: &Connection,
    namespace: Option<&str>,
    refused: bool,
    keep: impl Fn(&Repository) -> bool,
) -> Result<Option<Vec<Repository>>, Cause> {
    let catalog = Catalog::of(&connection.registry);
    if catalog == Catalog::Signed && !refused {
        return signed(connection, keep).await;
    }
    let Some(list) = find(connection, &catalog, namespace, refused).await? else {
        return Ok(None);
    };
    let mut pages = Pages::new(connection, limits::LIST_ENTRIES);
    let mut found = BTreeSet::new();
    let mut next = Some(list.first.clone());
    while let Some(url) = next {
        let request = Request::new(Class::Lookup, Method::GET, url.clone(), Scope::nothing())
            .header(ACCEPT, HeaderValue::from_static(list.accept))
            .limit(limits::LIST_PAGE_BYTES)
            .directly(list.authorization.clone());
        let reply = pages.read(&request).await?;
        if reply.status != 200 {
            return Err(reply.into_cause());
        }
        let _held = memory::hold(reply.body.len())?;
        let page = (list.read)(&reply, &url, namespace.unwrap_or_default())?;
        add(&mut pages, page.names, &mut found, &keep)?;
        next = page.next;
    }
    Ok(Some(found.into_iter().collect()))
}

/// Adds the wanted names of a page. What is not a name is left out: nobody can ask for it.
fn add(
    pages: &mut Pages<'_>,
    names: Vec<String>,
    found: &mut BTreeSet<Repository>,
    keep: &impl Fn(&Repository) -> bool,
) -> Result<(), Cause> {
    let (mut fresh, mut kept) = (0, 0);
    for name in names {
        fresh += usize::from(pages.note(&name)?);
        let length = name.len();
        if let Ok(repository) = name.parse()
            && keep(&repository)
        {
            kept += NAME + length;
            found.insert(repository);
        }
    }
    memory::keep(kept)?;
    pages.turn(fresh)
}

/// The list of whoever signs (Amazon ECR); nothing where nobody does: its catalog is open to passwords.
async fn signed(
    connection: &Connection,
    keep: impl Fn(&Repository) -> bool,
) -> Result<Option<Vec<Repository>>, Cause> {
    let Credential::Issued(issuer) = connection.authenticator.credential() else {
        return Ok(None);
    };
    let Some(api) = issuer.signed() else {
        return Ok(None);
    };
    let mut pages = Pages::new(connection, limits::LIST_ENTRIES);
    let mut found = BTreeSet::new();
    let mut next: Option<String> = None;
    loop {
        let listing = connection.act(Class::Lookup, || async {
            api.ready().await?;
            api.list(next.as_deref()).await
        });
        let listed = pages
            .act(next.as_deref().unwrap_or_default(), listing)
            .await?;
        add(&mut pages, listed.names, &mut found, &keep)?;
        next = listed.next;
        if next.is_none() {
            return Ok(Some(found.into_iter().collect()));
        }
    }
}

/// How to ask for a list; nothing where no API is known that has one.
async fn find(
    connection: &Connection,
    catalog: &Catalog,
    namespace: Option<&str>,
    refused: bool,
) -> Result<Option<List>, Cause> {
    let Some(name) = namespace else {
        return match catalog {
            Catalog::DockerHub | Catalog::GitHub { .. } => Err(Cause::needs(&format!(
                "{} lists the repositories of one namespace at a time: begin the glob with its name, such as NAME/*",
                connection.registry
            ))),
            Catalog::Quay | Catalog::Signed | Catalog::Specified => Ok(None),
        };
    };
    let (first_part, _) = name.split_once('/').unwrap_or((name, ""));
    match catalog {
        Catalog::DockerHub => of_hub(connection, first_part).await.map(Some),
        Catalog::GitHub { api } => of_github(connection, api, first_part).await.map(Some),
        Catalog::Quay if is_anonymous(connection) || refused => {
            of_quay(connection, first_part).map(Some)
        }
        Catalog::Specified if refused => of_challenge(connection, name).await,
        Catalog::Quay | Catalog::Signed | Catalog::Specified => Ok(None),
    }
}

fn is_anonymous(connection: &Connection) -> bool {
    matches!(connection.authenticator.credential(), Credential::Anonymous)
}

/// Docker Hub: `GET /v2/namespaces/{namespace}/repositories`, `page_size` at most 100, and `next` in the answer
/// (<https://docs.docker.com/reference/api/hub/latest/>). Who logs in sees private repositories, too.
async fn of_hub(connection: &Connection, namespace: &str) -> Result<List, Cause> {
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
                next: next.and_then(|next| behind(url, &next)),
            })
        },
    })
}

/// GitHub: `GET /orgs/{org}/packages` and `GET /users/{username}/packages` with `package_type=container`
/// (<https://docs.github.com/en/rest/packages/packages>).
async fn of_github(connection: &Connection, api: &str, owner: &str) -> Result<List, Cause> {
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
fn of_quay(connection: &Connection, namespace: &str) -> Result<List, Cause> {
    let mut first = own_url(connection, &["api", "v1", "repository"]);
    first
        .query_pairs_mut()
        .append_pair("namespace", namespace)
        .append_pair("public", "true");
    Ok(List {
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
    })
}

/// Harbor and GitLab are known by the token server that their registries name.
async fn of_challenge(connection: &Connection, namespace: &str) -> Result<Option<List>, Cause> {
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
        _ => None,
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
fn behind(url: &Url, next: &str) -> Option<Url> {
    let linked = url.join(next).ok()?;
    let mut next = url.clone();
    next.set_query(linked.query());
    Some(next)
}

fn parse<T: DeserializeOwned>(reply: &Reply) -> Result<T, Cause> {
    let is_bounded = json::count_values(&reply.body) <= limits::JSON_VALUES;
    let parsed = is_bounded.then(|| serde_json::from_slice(&reply.body).ok());
    parsed.flatten().ok_or_else(|| {
        let wrong = "the list of repositories is not of the expected form".to_owned();
        reply.unusable(Cause::Protocol(wrong))
    })
}
