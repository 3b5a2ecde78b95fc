// SPDX-License-Identifier: Apache-2.0

//! What a cluster asks of a process: whether it lives, whether it is ready, and its metrics.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::exposition::Format;
use super::metrics::Metrics;
use super::server::{Limits, ListenError, Server};

/// What its connections may take: a probe of the kubelet is always new, and Prometheus comes back on the same
/// connection within a minute.
const LIMITS: Limits = Limits {
    most: 64,
    silence: Duration::from_secs(75),
    life: Duration::from_secs(10 * 60),
};

/// The server, which listens from the moment it exists and answers once it is served.
#[derive(Debug)]
pub struct Admin {
    server: Server,
    pages: Router,
}

/// Whether the process can do its work. Clones are one and the same.
#[derive(Clone, Debug)]
pub struct Readiness {
    state: Arc<Mutex<Ready>>,
}

#[derive(Clone, Copy, Debug)]
enum Ready {
    Yes,
    WaitingFor(&'static str),
}

// === impl Readiness ===

impl Readiness {
    /// Not ready: it waits for this.
    pub fn waiting_for(what: &'static str) -> Self {
        Self {
            state: Arc::new(Mutex::new(Ready::WaitingFor(what))),
        }
    }

    /// Ready from now on.
    pub fn set_ready(&self) {
        self.set(Ready::Yes);
    }

    /// Not ready any more, or not yet for another reason: it waits for this.
    pub fn set_waiting_for(&self, what: &'static str) {
        self.set(Ready::WaitingFor(what));
    }

    fn set(&self, state: Ready) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn state(&self) -> Ready {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Admin ===

impl Admin {
    /// Listens on this address. Port 0 is any free one.
    pub async fn bind(
        address: SocketAddr,
        readiness: Readiness,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ListenError> {
        let server = Server::bind(address, "--listen-address", LIMITS).await?;
        let pages = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(show_readiness).with_state(readiness))
            .route("/metrics", get(show_metrics).with_state(metrics));
        Ok(Self { server, pages })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Answers until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        self.server.serve(self.pages, stop).await;
    }
}

async fn show_readiness(State(readiness): State<Readiness>) -> Response {
    match readiness.state() {
        Ready::Yes => "ok\n".into_response(),
        Ready::WaitingFor(what) => {
            let reason = format!("not ready: waiting for {what}\n");
            (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
        }
    }
}

async fn show_metrics(State(metrics): State<Arc<Metrics>>, headers: HeaderMap) -> Response {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let format = Format::accepted(accepted.filter_map(|value| value.to_str().ok()));
    match metrics.render(format) {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;

    /// A server that answers until the end of the test.
    struct Running {
        address: SocketAddr,
        readiness: Readiness,
        stop: CancellationToken,
        task: AbortOnDropHandle<()>,
    }

    impl Running {
        async fn start() -> Self {
            let readiness = Readiness::waiting_for("the first list");
            let metrics = Arc::new(Metrics::new());
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            let admin = Admin::bind(address, readiness.clone(), metrics)
                .await
                .unwrap();
            let stop = CancellationToken::new();
            Self {
                address: admin.address(),
                readiness,
                stop: stop.clone(),
                task: AbortOnDropHandle::new(tokio::spawn(admin.serve(stop))),
            }
        }

        /// The whole answer, from the status line on.
        async fn get(&self, path: &str) -> String {
            self.get_as(path, "").await
        }

        /// The same with a header field, such as `Accept: a\r\n`.
        async fn get_as(&self, path: &str, field: &str) -> String {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{field}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }
    }

    #[tokio::test]
    async fn it_tells_health_readiness_metrics_and_nothing_else() {
        let admin = Running::start().await;
        let cases = [
            ("/healthz", "HTTP/1.1 200", "\r\n\r\nok\n"),
            (
                "/readyz",
                "HTTP/1.1 503",
                "\r\n\r\nnot ready: waiting for the first list\n",
            ),
            (
                "/metrics",
                "HTTP/1.1 200",
                "content-type: text/plain; version=0.0.4",
            ),
            (
                "/metrics",
                "HTTP/1.1 200",
                "\n# TYPE transship_build_info gauge\n",
            ),
            ("/", "HTTP/1.1 404", ""),
            ("/debug/pprof", "HTTP/1.1 404", ""),
        ];
        for (path, status, part) in cases {
            let answer = admin.get(path).await;
            assert!(answer.starts_with(status), "{path}: {answer}");
            assert!(answer.contains(part), "{path}: {answer}");
        }
        let accept = "Accept: text/plain;q=0.1\r\nAccept: application/openmetrics-text\r\n";
        let answer = admin.get_as("/metrics", accept).await;
        for part in [
            "content-type: application/openmetrics-text; version=1.0.0",
            "\n# TYPE transship_build info\n",
            "\n# EOF\n",
        ] {
            assert!(answer.contains(part), "{answer}");
        }
    }

    #[tokio::test]
    async fn readiness_comes_and_goes() {
        let admin = Running::start().await;
        admin.readiness.set_ready();
        assert!(admin.get("/readyz").await.starts_with("HTTP/1.1 200"));
        admin.readiness.set_waiting_for("the API server");
        assert!(
            admin
                .get("/readyz")
                .await
                .contains("waiting for the API server")
        );
    }

    #[tokio::test]
    async fn half_requests_keep_nobody_from_an_answer() {
        let admin = Running::start().await;
        let mut halves = Vec::new();
        for _ in 0..200 {
            let mut half = TcpStream::connect(admin.address).await.unwrap();
            half.write_all(b"GET /healthz HT").await.unwrap();
            halves.push(half);
        }
        assert!(admin.get("/healthz").await.starts_with("HTTP/1.1 200"));
        let mut ended = String::new();
        // The server hangs up, with a reset or without.
        let _ = halves[0].read_to_string(&mut ended).await;
        assert!(!ended.contains("200"), "{ended}");
    }

    #[tokio::test]
    async fn it_ends_even_while_a_client_dawdles() {
        let admin = Running::start().await;
        let mut dawdling = TcpStream::connect(admin.address).await.unwrap();
        dawdling.write_all(b"GET /healthz HT").await.unwrap();
        admin.get("/healthz").await;
        admin.stop.cancel();
        admin.task.await.unwrap();
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        let admin = Running::start().await;
        let again = Admin::bind(admin.address, admin.readiness.clone(), Arc::default()).await;
        let message = again.unwrap_err().to_string();
        let port = admin.address.port().to_string();
        insta::assert_snapshot!(message.replace(&port, "PORT"), @"cannot listen on 127.0.0.1:PORT: Address already in use (os error 98); give another address to --listen-address");
    }
}
