// SPDX-License-Identifier: Apache-2.0

//! Lists the objects of every kind: page by page, complete or not at all.

use axum::http::{Request, StatusCode};
use futures::AsyncReadExt;
use kube::Client;
use serde::Deserialize;
use url::form_urlencoded;

use super::objects::{PageError, add_other_page, add_page};
use super::{Extra, Gather, Kind};
use crate::api::Reason;
use crate::plan::in_use::InUse;
use crate::runtime::kubernetes::explain;
use crate::sync::workloads::WorkloadsError;

/// Objects of a page.
const PAGE_SIZE: u32 = 500;
/// The same for what may be of any size, up to the 3 MiB that an API server takes.
const EXTRA_PAGE_SIZE: u32 = 50;
/// Largest page that is read, in bytes. A larger one is asked for again with fewer objects.
const PAGE_BYTES: u64 = 32 * 1024 * 1024;
/// How many times fewer.
const FEWER: u32 = 8;
/// What of the Helm chart gives the right to list what an operator adds.
const EXTRA_SETTING: &str = "name it in inUse.extra";
/// How often a list is begun whose pages expired.
const ATTEMPTS: u32 = 3;

/// What is listed.
#[derive(Clone, Copy)]
enum Listed<'a> {
    Kind(Kind),
    /// In this version.
    Extra(&'a Extra, &'a str),
}

/// Why a list is not complete.
#[derive(Debug)]
enum ListError {
    /// Its next page is about a state that the API server does not have any more.
    Expired,
    /// There is no such kind, or not in this version.
    NotServed,
    /// The page is too large.
    TooLarge,
    /// The rest would not be better.
    Failed(WorkloadsError),
}

/// Which versions of a group the API server has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    preferred_version: Version,
    versions: Vec<Version>,
}

#[derive(Debug, Deserialize)]
struct Version {
    version: String,
}

/// Lists everything that workloads use in all namespaces. What is gathered begins as `empty`.
pub(super) async fn list_all<G: Gather>(
    client: &Client,
    extra: &[Extra],
    empty: &G,
) -> Result<G, WorkloadsError> {
    let mut all = empty.clone();
    // What makes others comes first, as in [`Kind::ALL`].
    for extra in extra {
        all.merge(list_extra(client, extra, empty).await?);
    }
    for kind in Kind::ALL {
        let listed = list(client, Listed::Kind(kind), empty).await?;
        all.merge(listed.ok_or_else(|| {
            let message = format!("the API server does not serve {}", kind.api_version());
            unread(&kind.plural(), Reason::DependencyNotReady, &message)
        })?);
    }
    refuse_too_much(&all)?;
    Ok(all)
}

/// In the version that the API server prefers, or else in any that has it.
async fn list_extra<G: Gather>(
    client: &Client,
    extra: &Extra,
    empty: &G,
) -> Result<G, WorkloadsError> {
    for version in read_versions(client, extra).await? {
        if let Some(listed) = list(client, Listed::Extra(extra, &version), empty).await? {
            return Ok(listed);
        }
    }
    Err(not_served(extra))
}

async fn read_versions(client: &Client, extra: &Extra) -> Result<Vec<String>, WorkloadsError> {
    let Some(path) = extra.versions_path() else {
        return Ok(vec!["v1".to_owned()]);
    };
    let name = extra.to_string();
    let wrong = |error: &dyn std::fmt::Display| {
        unread(&name, Reason::DependencyNotReady, &error.to_string())
    };
    let request = Request::get(path).body(Vec::new());
    let request = request.map_err(|error| wrong(&error))?;
    let answer = match client.request_text(request).await {
        Ok(answer) => answer,
        Err(error) => {
            return Err(match explain_failure(&name, EXTRA_SETTING, &error) {
                ListError::Failed(error) => error,
                ListError::NotServed | ListError::Expired | ListError::TooLarge => {
                    not_served(extra)
                }
            });
        }
    };
    let Group {
        preferred_version,
        versions,
    } = serde_json::from_str(&answer).map_err(|error| wrong(&error))?;
    let others = versions.into_iter().map(|version| version.version);
    let mut all = vec![preferred_version.version];
    all.extend(
        others
            .filter(|other| !all.contains(other))
            .collect::<Vec<_>>(),
    );
    Ok(all)
}

fn not_served(extra: &Extra) -> WorkloadsError {
    let group = match extra.group() {
        "" => "the core group",
        group => group,
    };
    WorkloadsError {
        reason: Reason::DependencyNotReady,
        message: format!(
            "the API server does not serve {extra}: install what serves {group}, or take it out of inUse.extra of \
             the Helm chart (--in-use-extra)"
        ),
    }
}

/// None for what the API server does not serve.
async fn list<G: Gather>(
    client: &Client,
    listed: Listed<'_>,
    empty: &G,
) -> Result<Option<G>, WorkloadsError> {
    for _ in 0..ATTEMPTS {
        match list_once(client, listed, empty.clone()).await {
            Ok(gathered) => return Ok(Some(gathered)),
            Err(ListError::Expired) => {}
            Err(ListError::NotServed) => return Ok(None),
            Err(ListError::TooLarge) => {
                let message = format!("one object has more than {PAGE_BYTES} bytes");
                let reason = Reason::DependencyNotReady;
                return Err(unread(&listed.name(), reason, &message));
            }
            Err(ListError::Failed(error)) => return Err(error),
        }
    }
    let message = format!(
        "the list of {} expired {ATTEMPTS} times before its end: the API server is too slow",
        listed.name()
    );
    Err(WorkloadsError {
        reason: Reason::Unreachable,
        message,
    })
}

/// All pages are of one state: that of the moment of the first request, because it names no version.
async fn list_once<G: Gather>(
    client: &Client,
    listed: Listed<'_>,
    mut gathered: G,
) -> Result<G, ListError> {
    let mut next = String::new();
    let mut size = listed.page_size();
    loop {
        let page = match read_page(client, listed, size, &next).await {
            Err(ListError::TooLarge) if size > 1 => {
                size = (size / FEWER).max(1);
                continue;
            }
            page => page?,
        };
        let added = listed.add_page(&mut gathered, &page);
        refuse_too_much(&gathered)?;
        match added.map_err(|error| explain_page(listed, &error))? {
            Some(token) => next = token,
            None => return Ok(gathered),
        }
    }
}

async fn read_page(
    client: &Client,
    listed: Listed<'_>,
    size: u32,
    next: &str,
) -> Result<String, ListError> {
    let name = listed.name();
    let request = Request::get(listed.target(size, next))
        .body(Vec::new())
        .map_err(|error| unread(&name, Reason::DependencyNotReady, &error.to_string()))?;
    let answer = client.request_stream(request).await;
    let answer = answer.map_err(|error| explain_failure(&name, listed.setting(), &error))?;
    let mut page = Vec::new();
    let read = answer.take(PAGE_BYTES + 1).read_to_end(&mut page).await;
    let broken =
        |error: &dyn std::fmt::Display| unread(&name, Reason::Unreachable, &error.to_string());
    let read = read.map_err(|error| broken(&error))?;
    if u64::try_from(read).is_ok_and(|read| read > PAGE_BYTES) {
        return Err(ListError::TooLarge);
    }
    Ok(String::from_utf8(page).map_err(|error| broken(&error))?)
}

fn explain_page(listed: Listed<'_>, error: &PageError) -> WorkloadsError {
    match error {
        PageError::Object(error) => WorkloadsError {
            reason: Reason::DependencyNotReady,
            message: format!("{error}; correct or delete it, or use a newer Transship"),
        },
        PageError::NoPage { .. } => unread(
            &listed.name(),
            Reason::DependencyNotReady,
            &error.to_string(),
        ),
    }
}

/// `setting` is what of the Helm chart gives the right to list it.
fn explain_failure(name: &str, setting: &str, error: &kube::Error) -> ListError {
    let message = explain(error);
    let kube::Error::Api(status) = error else {
        return unread(name, Reason::Unreachable, &message).into();
    };
    match StatusCode::from_u16(status.code) {
        Ok(StatusCode::GONE) => ListError::Expired,
        Ok(StatusCode::NOT_FOUND) => ListError::NotServed,
        Ok(StatusCode::FORBIDDEN) => ListError::Failed(WorkloadsError {
            reason: Reason::AccessDenied,
            message: format!(
                "Transship may not list the {name} of all namespaces: {setting} of the Helm chart, or bind a \
                 ClusterRole that allows it to whoever asks ({message})"
            ),
        }),
        Ok(StatusCode::UNAUTHORIZED) => unread(name, Reason::AuthenticationFailed, &message).into(),
        Ok(_) | Err(_) => unread(name, Reason::Unreachable, &message).into(),
    }
}

fn refuse_too_much(gathered: &impl Gather) -> Result<(), WorkloadsError> {
    if !gathered.is_too_much() {
        return Ok(());
    }
    Err(WorkloadsError {
        reason: Reason::DependencyNotReady,
        message: format!(
            "workloads name more than {} images: list fewer kinds (inUse.extra of the Helm chart, --in-use-extra)",
            InUse::MOST
        ),
    })
}

fn unread(name: &str, reason: Reason, message: &str) -> WorkloadsError {
    let message = format!("the {name} cannot be listed: {message}");
    WorkloadsError { reason, message }
}

// === impl Listed ===

impl Listed<'_> {
    /// The name of many, with its group where that is no group of Kubernetes' own.
    fn name(self) -> String {
        match self {
            Self::Kind(kind) => kind.plural(),
            Self::Extra(extra, _) => extra.to_string(),
        }
    }

    /// What of the Helm chart gives the right to list it.
    fn setting(self) -> &'static str {
        match self {
            Self::Kind(_) => "set inUse.enabled",
            Self::Extra(..) => EXTRA_SETTING,
        }
    }

    /// How many objects of a page are asked for at first.
    fn page_size(self) -> u32 {
        match self {
            Self::Kind(_) => PAGE_SIZE,
            Self::Extra(..) => EXTRA_PAGE_SIZE,
        }
    }

    fn target(self, size: u32, next: &str) -> String {
        let path = match self {
            Self::Kind(kind) => kind.path(),
            Self::Extra(extra, version) => extra.path(version),
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &size.to_string());
        if !next.is_empty() {
            query.append_pair("continue", next);
        }
        format!("{path}?{}", query.finish())
    }

    fn add_page(self, gathered: &mut impl Gather, page: &str) -> Result<Option<String>, PageError> {
        match self {
            Self::Kind(kind) => add_page(gathered, kind, page),
            Self::Extra(extra, version) => {
                let api_version = extra.api_version(version);
                add_other_page(gathered, &api_version, &extra.to_string(), page)
            }
        }
    }
}

// === impl ListError ===

impl From<WorkloadsError> for ListError {
    fn from(error: WorkloadsError) -> Self {
        Self::Failed(error)
    }
}
