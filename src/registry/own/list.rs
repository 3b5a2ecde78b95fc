// SPDX-License-Identifier: Apache-2.0

//! Lists of repositories where a registry has no catalog, or shows it to nobody: those of one namespace, by the API of
//! its web site. Bounded as every other list.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderValue};

use super::listings::{List, of_challenge, of_github, of_hub, of_quay};
use super::means::Catalog;
use crate::oci::{Repository, limits};
use crate::registry::auth::{Credential, Scope};
use crate::registry::cause::Cause;
use crate::registry::class::Class;
use crate::registry::connection::Connection;
use crate::registry::pages::Pages;
use crate::registry::request::Request;
use crate::runtime::memory;

/// What a name takes in a list besides its letters, in bytes, about.
const NAME: usize = 128;

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
            Ok(Some(of_quay(connection, first_part)))
        }
        Catalog::Specified if refused => of_challenge(connection, name).await,
        Catalog::Quay | Catalog::Signed | Catalog::Specified => Ok(None),
    }
}

fn is_anonymous(connection: &Connection) -> bool {
    matches!(connection.authenticator.credential(), Credential::Anonymous)
}
