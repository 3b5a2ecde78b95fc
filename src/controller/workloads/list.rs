//! Lists the objects of every kind: page by page, complete or not at all.

use axum::http::{Request, StatusCode};
use kube::Client;
use url::form_urlencoded;

use super::Kind;
use super::objects::{PageError, Reader};
use crate::api::Reason;
use crate::plan::in_use::InUse;
use crate::runtime::kubernetes::explain;
use crate::sync::workloads::WorkloadsError;

/// Objects of a page.
const PAGE_SIZE: u32 = 500;
/// How often a list is begun whose pages expired.
const ATTEMPTS: u32 = 3;

/// Why a list is not complete.
#[derive(Debug)]
enum ListError {
    /// Its next page is about a state that the API server does not have any more.
    Expired,
    /// The rest would not be better.
    Failed(WorkloadsError),
}

/// Lists everything that workloads use in all namespaces.
pub(super) async fn list_all(client: &Client) -> Result<InUse, WorkloadsError> {
    let mut in_use = InUse::default();
    for kind in Kind::ALL {
        in_use.merge(list_kind(client, kind).await?);
    }
    Ok(in_use)
}

async fn list_kind(client: &Client, kind: Kind) -> Result<InUse, WorkloadsError> {
    for _ in 0..ATTEMPTS {
        match list_once(client, kind).await {
            Ok(in_use) => return Ok(in_use),
            Err(ListError::Expired) => {}
            Err(ListError::Failed(error)) => return Err(error),
        }
    }
    let message = format!(
        "the list of {} expired {ATTEMPTS} times before its end: the API server is too slow",
        kind.plural()
    );
    Err(WorkloadsError {
        reason: Reason::Unreachable,
        message,
    })
}

/// All pages are of one state: that of the moment of the first request, because it names no version.
async fn list_once(client: &Client, kind: Kind) -> Result<InUse, ListError> {
    let mut in_use = InUse::default();
    let reader = Reader::of(kind);
    let mut next = String::new();
    loop {
        let page = read_page(client, kind, &next).await?;
        let added = reader.add_page(&mut in_use, &page);
        match added.map_err(|error| explain_page(kind, &error))? {
            Some(token) => next = token,
            None => return Ok(in_use),
        }
    }
}

async fn read_page(client: &Client, kind: Kind, next: &str) -> Result<String, ListError> {
    let request = Request::get(target(kind, next))
        .body(Vec::new())
        .map_err(|error| unread(kind, Reason::DependencyNotReady, &error.to_string()))?;
    let page = client.request_text(request).await;
    page.map_err(|error| explain_failure(kind, &error))
}

fn explain_page(kind: Kind, error: &PageError) -> ListError {
    match error {
        PageError::Object(error) => ListError::Failed(WorkloadsError {
            reason: Reason::DependencyNotReady,
            message: format!("{error}; correct or delete it, or use a newer Transship"),
        }),
        PageError::NoPage { .. } => unread(kind, Reason::DependencyNotReady, &error.to_string()),
    }
}

fn target(kind: Kind, next: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &PAGE_SIZE.to_string());
    if !next.is_empty() {
        query.append_pair("continue", next);
    }
    format!("{}?{}", kind.path(), query.finish())
}

fn explain_failure(kind: Kind, error: &kube::Error) -> ListError {
    let message = explain(error);
    let kube::Error::Api(status) = error else {
        return unread(kind, Reason::Unreachable, &message);
    };
    match StatusCode::from_u16(status.code) {
        Ok(StatusCode::GONE) => ListError::Expired,
        Ok(StatusCode::FORBIDDEN) => ListError::Failed(WorkloadsError {
            reason: Reason::AccessDenied,
            message: format!(
                "Transship may not list the {} of all namespaces: set inUse.enabled of the Helm chart, or bind a \
                 ClusterRole that allows it to Transship's service account ({message})",
                kind.plural()
            ),
        }),
        Ok(StatusCode::UNAUTHORIZED) => unread(kind, Reason::AuthenticationFailed, &message),
        Ok(StatusCode::NOT_FOUND) => {
            let message = format!("the API server does not serve {}", kind.api_version());
            unread(kind, Reason::DependencyNotReady, &message)
        }
        Ok(_) | Err(_) => unread(kind, Reason::Unreachable, &message),
    }
}

fn unread(kind: Kind, reason: Reason, message: &str) -> ListError {
    let message = format!("the {} cannot be listed: {message}", kind.plural());
    ListError::Failed(WorkloadsError { reason, message })
}
