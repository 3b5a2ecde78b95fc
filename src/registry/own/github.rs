// SPDX-License-Identifier: Apache-2.0

//! Packages of GitHub (<https://docs.github.com/en/rest/packages/packages>, API version 2022-11-28).
//!
//! What is deleted there is a version: a manifest with all of its tags, and no tag by itself. So a version goes only
//! where each of its tags is to go, which is looked up right before.

use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::oci::{Digest, Repository, Tag, json, limits};
use crate::registry::answer::Reply;
use crate::registry::auth::{Authorization, Credential, Scope};
use crate::registry::cause::Cause;
use crate::registry::class::Class;
use crate::registry::connection::Connection;
use crate::registry::link;
use crate::registry::pages::Pages;
use crate::registry::request::Request;

/// The most that a page may have.
const PAGE: &str = "100";

/// A version of a package as a list has it, which stands for a manifest.
#[derive(Deserialize)]
struct Listed {
    id: u64,
    /// The digest of the manifest.
    name: String,
}

/// A version with all of its tags. Nothing is taken for granted of it: what is not said is no proof that there is
/// nothing.
#[derive(Deserialize)]
struct Version {
    id: u64,
    name: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    container: Container,
}

#[derive(Deserialize)]
struct Container {
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(rename = "type", default)]
    kind: String,
}

/// The packages of one owner, asked by somebody.
pub(in crate::registry) struct Packages<'a> {
    connection: &'a Connection,
    api: &'a str,
    token: Option<Authorization>,
}

// === impl Packages ===

impl<'a> Packages<'a> {
    /// Those that whoever we are at the registry may see.
    pub(in crate::registry) fn of(connection: &'a Connection, api: &'a str) -> Self {
        let token = match connection.authenticator.credential() {
            Credential::Basic { password, .. } => Authorization::bearer(password),
            Credential::RegistryToken(_)
            | Credential::Anonymous
            | Credential::IdentityToken { .. }
            | Credential::Issued(_) => None,
        };
        Self {
            connection,
            api,
            token,
        }
    }

    /// The same for somebody who may delete.
    pub(in crate::registry) fn to_delete(
        connection: &'a Connection,
        api: &'a str,
    ) -> Result<Self, Cause> {
        let packages = Self::of(connection, api);
        if packages.token.is_some() {
            return Ok(packages);
        }
        Err(Cause::needs(
            "GitHub deletes versions of packages by its own API, which wants a personal access token (classic) with \
             the scopes read:packages and delete:packages: give the registry such a token as the password",
        ))
    }

    /// The token, without which the API tells nothing.
    pub(in crate::registry) fn token(&self) -> Option<Authorization> {
        self.token.clone()
    }

    /// The URL of the packages of an owner.
    pub(in crate::registry) async fn all_of(&self, owner: &str) -> Result<Url, Cause> {
        let [kind, owner] = self.owner(owner).await?;
        self.url(&[&kind, &owner, "packages"])
    }

    fn request(&self, class: Class, method: Method, url: Url) -> Request {
        Request::new(class, method, url, Scope::nothing())
            .header(
                ACCEPT,
                HeaderValue::from_static("application/vnd.github+json"),
            )
            .header(
                HeaderName::from_static("x-github-api-version"),
                HeaderValue::from_static("2022-11-28"),
            )
            .directly(self.token.clone())
    }

    fn url(&self, parts: &[&str]) -> Result<Url, Cause> {
        let wrong = |error: url::ParseError| Cause::Settings(format!("{}: {error}", self.api));
        let mut url = Url::parse(&format!("https://{}", self.api)).map_err(wrong)?;
        // A slash in the name of a package is encoded: that is one part.
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(parts);
        }
        Ok(url)
    }

    /// `orgs` or `users` with the owner behind it.
    async fn owner(&self, owner: &str) -> Result<[String; 2], Cause> {
        let known = self.connection.known.organizations.of(&owner.to_owned());
        let is_organization = if let Some(known) = known {
            known
        } else {
            let request = self.request(Class::Lookup, Method::GET, self.url(&["users", owner])?);
            let reply = self
                .connection
                .ask(&request.limit(limits::TOKEN_BYTES))
                .await?;
            let found: Owner = parse(reply, "its owner")?;
            let is_organization = found.kind == "Organization";
            let organizations = &self.connection.known.organizations;
            organizations.learn(owner.to_owned(), is_organization);
            is_organization
        };
        let kind = if is_organization { "orgs" } else { "users" };
        Ok([kind.to_owned(), owner.to_owned()])
    }

    /// The URL of the versions of a package.
    async fn versions(&self, repository: &Repository) -> Result<Url, Cause> {
        let name = repository.as_str().split_once('/');
        let (owner, package) = name.ok_or_else(|| {
            Cause::Settings(format!(
                "{repository} is no package of GitHub, whose names begin with that of their owner"
            ))
        })?;
        let [kind, owner] = self.owner(owner).await?;
        self.url(&[&kind, &owner, "packages", "container", package, "versions"])
    }

    /// Finds out which version a manifest is.
    pub(in crate::registry) async fn find(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Url, Cause> {
        let mut url = self.versions(repository).await?;
        let key = (repository.clone(), digest.clone());
        let known = self.connection.known.versions.of(&key);
        let id = match known {
            Some(known) => known,
            None => self.look_for(repository, digest, &url).await?,
        };
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&id.to_string());
        }
        Ok(url)
    }

    async fn look_for(
        &self,
        repository: &Repository,
        digest: &Digest,
        versions: &Url,
    ) -> Result<u64, Cause> {
        let mut url = versions.clone();
        url.query_pairs_mut().append_pair("per_page", PAGE);
        let mut pages = Pages::new(self.connection, limits::LIST_ENTRIES);
        let mut next = Some(url);
        while let Some(url) = next {
            let request = self.request(Class::Lookup, Method::GET, url);
            let reply = pages.read(&request.limit(limits::LIST_PAGE_BYTES)).await?;
            next = link::next_page(&reply.headers, &reply.url)?;
            let (mut found, mut fresh) = (None, 0);
            let listed: Vec<Listed> = parse(reply, "the versions of the package")?;
            for Listed { id, name } in listed {
                fresh += usize::from(pages.note(&name)?);
                let Ok(name) = name.parse::<Digest>() else {
                    continue;
                };
                found = found.or((name == *digest).then_some(id));
                let key = (repository.clone(), name);
                self.connection.known.versions.learn(key, id);
            }
            if let Some(id) = found {
                return Ok(id);
            }
            pages.turn(fresh)?;
        }
        Err(Cause::Protocol(format!(
            "GitHub lists no version {digest} of the package, although the registry has it"
        )))
    }

    /// Whether a version has no other tags than one and these. That it has the one is what shows that its tags are
    /// told.
    pub(in crate::registry) async fn has_only(
        &self,
        version: &Url,
        (repository, digest): (&Repository, &Digest),
        (tag, also): (&Tag, &[Tag]),
    ) -> Result<bool, Cause> {
        let request = self.request(Class::Lookup, Method::GET, version.clone());
        let request = request.limit(limits::TOKEN_BYTES);
        let reply = self.connection.ask(&request).await?;
        if reply.status == 404 {
            let key = (repository.clone(), digest.clone());
            self.connection.known.versions.forget(&key);
        }
        let found: Version = parse(reply, "the version of the package")?;
        if found.name != digest.as_str() {
            return Err(Cause::Protocol(format!(
                "GitHub gave version {} of the package in place of {digest}",
                found.id
            )));
        }
        let tags = found.metadata.container.tags;
        if !tags.iter().any(|name| name == tag.as_str()) {
            return Err(Cause::Protocol(format!(
                "GitHub does not list {tag} among the tags of {digest}, although the registry has it"
            )));
        }
        let is_meant = |name: &String| {
            let mut meant = also.iter().chain([tag]);
            meant.any(|tag| tag.as_str() == name)
        };
        Ok(tags.iter().all(is_meant))
    }

    /// The request that deletes a version with all of its tags. It is answered with 204.
    pub(in crate::registry) fn delete(&self, version: Url) -> Request {
        self.request(Class::ManifestDelete, Method::DELETE, version)
    }
}

fn parse<T: DeserializeOwned>(reply: Reply, what: &str) -> Result<T, Cause> {
    if reply.status != 200 {
        return Err(reply.into_cause());
    }
    let is_bounded = json::count_values(&reply.body) <= limits::JSON_VALUES;
    let parsed = is_bounded.then(|| serde_json::from_slice(&reply.body).ok());
    parsed.flatten().ok_or_else(|| {
        let wrong = format!("what GitHub says of {what} is not of the expected form");
        reply.unusable(Cause::Protocol(wrong))
    })
}
