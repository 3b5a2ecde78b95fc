// SPDX-License-Identifier: Apache-2.0

//! One request: whether it may see anything, what it asks for, and what the browser may do with the answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::collected::{NotShown, PageSource, Visible};
use super::token;
use super::visitors::{Unseeing, Visitors};
use super::watched::{WatchedObjects, place};
use crate::page::{PageScene, Search, TYPED_LENGTH, render_page, served_policy};
use crate::plan::why::{AskedName, ImageAnswer, RecordQuery};
use crate::runtime::clock;

/// Pages that are made at once; others wait.
const AT_ONCE: usize = 2;
/// When a browser may look again, in seconds.
const AGAIN: &str = "2";
/// The names under which somebody at this machine finds it. Under any other one a page of a stranger may have led here.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The server of the page.
pub(crate) struct PageServer {
    source: Arc<dyn PageSource>,
    audience: Audience,
    turns: Arc<Semaphore>,
    policy: HeaderValue,
}

/// Who sees what.
enum Audience {
    /// Everybody at this machine sees everything.
    Everybody,
    /// People with a token of the cluster see what they may get there.
    Visitors {
        visitors: Box<Visitors>,
        cluster: Arc<WatchedObjects>,
    },
}

/// Why nothing is shown.
enum Refusal {
    WrongMethod,
    NoSuchPage,
    WrongName,
    TooLong,
    NoToken,
    Unseeing(Unseeing),
    NothingVisible,
    NotShown(NotShown),
    Broken,
}

// === impl PageServer ===

impl PageServer {
    /// The page for everybody at this machine.
    pub(crate) fn for_everybody(source: Arc<dyn PageSource>) -> Self {
        Self::new(source, Audience::Everybody)
    }

    /// The page for people with a token of the cluster.
    pub(in crate::controller) fn for_visitors(
        cluster: Arc<WatchedObjects>,
        visitors: Visitors,
    ) -> Self {
        let source = cluster.clone();
        let visitors = Box::new(visitors);
        Self::new(source, Audience::Visitors { visitors, cluster })
    }

    fn new(source: Arc<dyn PageSource>, audience: Audience) -> Self {
        let policy = HeaderValue::from_str(&served_policy());
        Self {
            source,
            audience,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            policy: policy.unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'")),
        }
    }

    async fn page(&self, request: &Parts) -> Result<String, Refusal> {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Err(Refusal::WrongMethod);
        }
        if request.uri.path() != "/" {
            return Err(Refusal::NoSuchPage);
        }
        let typed = typed(request.uri.query().unwrap_or_default());
        if typed.len() > TYPED_LENGTH {
            return Err(Refusal::TooLong);
        }
        let visible = self.visible(&request.headers).await?;
        let source = self.source.clone();
        // Nobody closes it.
        let turn = self.turns.clone().acquire_owned().await.ok();
        let made = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            make(&*source, &visible, &typed)
        });
        made.await.map_err(|_| Refusal::Broken)?
    }

    /// What whoever asks may see.
    async fn visible(&self, headers: &HeaderMap) -> Result<Visible, Refusal> {
        let (visitors, cluster) = match &self.audience {
            Audience::Everybody if is_local(headers) => return Ok(Visible::All),
            Audience::Everybody => return Err(Refusal::WrongName),
            Audience::Visitors { visitors, cluster } => (visitors, cluster),
        };
        // Where nothing is shown anyway, nobody is asked who that is.
        let namespaces = cluster.namespaces().map_err(Refusal::NotShown)?;
        let token = token::shown(headers).ok_or(Refusal::NoToken)?;
        let visible = visitors.visible(&token, &namespaces).await;
        let visible = visible.map_err(Refusal::Unseeing)?;
        match &visible {
            Visible::Namespaces(namespaces) if namespaces.is_empty() => {
                Err(Refusal::NothingVisible)
            }
            Visible::Namespaces(_) | Visible::All => Ok(visible),
        }
    }
}

/// Answers a request of any kind.
pub(super) async fn answer(
    State(server): State<Arc<PageServer>>,
    request: Request<Body>,
) -> Response {
    let (request, _) = request.into_parts();
    let mut response = match server.page(&request).await {
        Ok(page) => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (kind, page).into_response()
        }
        Err(refusal) => refusal.response(),
    };
    let fixed = [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let fixed = fixed.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(fixed);
    let policy = server.policy.clone();
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// The page of what somebody may see.
fn make(source: &dyn PageSource, visible: &Visible, typed: &str) -> Result<String, Refusal> {
    let collected = source.look(visible).map_err(Refusal::NotShown)?;
    let known = collected.known();
    let unreadable = collected.unreadable();
    let asked = (!typed.is_empty()).then(|| typed.parse::<AskedName>());
    let found = asked.map(|asked| {
        asked.map(|asked| {
            let lookup = |mirror: &_, query: RecordQuery<'_>| source.records(mirror, query);
            let answer = ImageAnswer::looked_up(&asked, &known, &lookup);
            answer.beside_unreadable(unreadable.iter().map(|unreadable| &unreadable.mirror))
        })
    });
    let search = match &found {
        None => Search::Nothing,
        Some(found) => Search::Typed { text: typed, found },
    };
    let place = match visible {
        Visible::All => source.place().to_owned(),
        Visible::Namespaces(namespaces) => place(
            namespaces
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .into_iter(),
            "in no namespace",
        ),
    };
    let page = render_page(&PageScene {
        place: &place,
        home: source.home(),
        known: &known,
        unreadable: &unreadable,
        traffic: &collected.traffic,
        sharing: collected.sharing.as_ref(),
        search,
        now: clock::now(),
    });
    page.map_err(|_| Refusal::Broken)
}

/// What was typed into the box.
fn typed(query: &str) -> String {
    let mut fields = url::form_urlencoded::parse(query.as_bytes());
    let typed = fields.find(|(name, _)| name == "q");
    typed.map_or_else(String::new, |(_, text)| text.trim().to_owned())
}

/// Whether the browser was led here by a name of this machine.
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    LOCAL_NAMES.iter().any(|name| {
        let rest = host.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    })
}

// === impl Refusal ===

impl Refusal {
    fn response(self) -> Response {
        let status = self.status();
        let mut response = (status, format!("{}\n", self.message())).into_response();
        let mut add = |name, value| {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        };
        match self {
            Self::WrongMethod => add(header::ALLOW, "GET, HEAD"),
            Self::NoToken | Self::Unseeing(Unseeing::Stranger) => {
                add(header::WWW_AUTHENTICATE, "Basic realm=\"Transship\"");
            }
            Self::Unseeing(Unseeing::TooMany | Unseeing::Unknown(_)) => {
                add(header::RETRY_AFTER, AGAIN);
            }
            Self::NotShown(_) => {
                add(header::RETRY_AFTER, AGAIN);
                // The next connection may lead to another process.
                add(header::CONNECTION, "close");
            }
            Self::NoSuchPage
            | Self::WrongName
            | Self::TooLong
            | Self::NothingVisible
            | Self::Broken => {}
        }
        response
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::WrongName => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLong => StatusCode::URI_TOO_LONG,
            Self::NoToken | Self::Unseeing(Unseeing::Stranger) => StatusCode::UNAUTHORIZED,
            Self::Unseeing(Unseeing::TooMany) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unseeing(Unseeing::Unknown(_)) | Self::NotShown(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NothingVisible => StatusCode::FORBIDDEN,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::WrongMethod => "the page is for reading".to_owned(),
            Self::NoSuchPage => "there is one page, at /".to_owned(),
            Self::WrongName => "open the page as http://localhost or http://127.0.0.1".to_owned(),
            Self::TooLong => "no image has such a long name".to_owned(),
            Self::NoToken => {
                "show a token of the cluster: as a bearer token, or as the password of any user"
                    .to_owned()
            }
            Self::Unseeing(unseeing) => unseeing.to_string(),
            Self::NothingVisible => {
                "you may get imagemirrors.transship.dev in no namespace that has any; the role view has that right with the Helm chart".to_owned()
            }
            Self::NotShown(why) => why.to_string(),
            Self::Broken => "the page could not be made".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:8082", true),
            ("127.0.0.1:8082", true),
            ("[::1]:8082", true),
            ("localhost.example.com", false),
            ("127.0.0.1.nip.io:8082", false),
            ("rebound.example.com:8082", false),
            ("", false),
        ] {
            let host = HeaderValue::from_str(host).unwrap();
            let headers = HeaderMap::from_iter([(header::HOST, host.clone())]);
            assert_eq!(is_local(&headers), expected, "{host:?}");
        }
        assert!(!is_local(&HeaderMap::new()));
    }

    #[test]
    fn what_was_typed() {
        for (query, expected) in [
            ("", ""),
            ("q=", ""),
            ("q=nginx%3A1.27.3", "nginx:1.27.3"),
            ("a=b&q=+nginx+", "nginx"),
            ("q=%3Cscript%3E", "<script>"),
            ("q=%ff", "\u{fffd}"),
            ("quit=1", ""),
        ] {
            assert_eq!(typed(query), expected, "{query}");
        }
    }
}
