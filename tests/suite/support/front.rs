// SPDX-License-Identifier: Apache-2.0

//! A reverse proxy: adds TLS, authentication and a log to a server that lacks them, tells a test about
//! every request that changes something, and lets a script come between.

mod scripted;

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_LENGTH, HeaderValue, USER_AGENT};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsConnector;

use super::access_log::{self, is_mutating};
use super::credentials::Guard;
use super::http::script::Script;
use super::http::wire::Connection;
use super::http::{self, Reply, server};
use super::runtime;

/// The path of the token endpoint, when the front serves it too.
pub const TOKEN_PATH: &str = "/token";

/// How long an answer takes, at most, from our buffers to the client's: what "after the reply" waits for.
const DELIVERY: Duration = Duration::from_millis(5);

/// A listener whose address is known before it serves.
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

/// What a front adds to the server behind it.
#[derive(Clone, Default)]
pub struct Additions {
    /// TLS towards the client.
    pub tls: Option<Arc<ServerConfig>>,
    /// What a request has to present.
    pub guard: Option<Guard>,
    /// The token server behind [`TOKEN_PATH`].
    pub token: Option<SocketAddr>,
    /// Who is told about changes.
    pub watcher: Option<Watcher>,
    /// A part of the targets of requests that are no changes, such as what is renewed by the clock.
    pub overlooked: Option<&'static str>,
    /// TLS towards the server behind it.
    pub upstream_tls: Option<Arc<ClientConfig>>,
    /// Rules for requests, and the record of them.
    pub script: Option<Arc<Script>>,
}

/// A moment in the life of a request that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The server has not seen it.
    BeforeForward,
    /// The server has done it and answered, the client does not know.
    BeforeReply,
    /// The client has its answer.
    AfterReply,
}

/// Is told about each request that changes something, numbered from 1; the request waits for it, and
/// gets no further at a break: whoever has killed the client knows before the connection does.
pub type Watcher = Arc<dyn Fn(Moment, usize) -> BoxFuture<'static, ControlFlow<()>> + Send + Sync>;

/// A running reverse proxy. It ends when dropped.
pub struct Front {
    address: SocketAddr,
    state: Arc<State>,
    task: AbortHandle,
}

struct State {
    upstream: SocketAddr,
    additions: Additions,
    log: Mutex<Vec<access_log::Request>>,
    changes: AtomicUsize,
    down: AtomicBool,
    interruptions: watch::Sender<()>,
}

/// One client connection and the connection to the server that belongs to it.
struct Link {
    state: Arc<State>,
    upstream: tokio::sync::Mutex<Option<SendRequest<Body>>>,
}

impl Door {
    /// Opens a door on a free loopback port.
    pub fn open() -> Self {
        let _runtime = runtime().enter();
        let listener = server::listen();
        let address = listener.local_addr().expect("a bound socket");
        Self { listener, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to serve what is behind.
    pub fn serve(self, upstream: SocketAddr, additions: Additions) -> Front {
        let state = Arc::new(State {
            upstream,
            additions,
            log: Mutex::default(),
            changes: AtomicUsize::new(0),
            down: AtomicBool::new(false),
            interruptions: watch::Sender::new(()),
        });
        let task = runtime()
            .spawn(accept(self.listener, Arc::clone(&state)))
            .abort_handle();
        Front {
            address: self.address,
            state,
            task,
        }
    }
}

impl Front {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request it answered, in the order of the answers; the token server keeps its own record.
    pub fn requests(&self) -> Vec<access_log::Request> {
        self.state.log.lock().unwrap().clone()
    }

    /// How many requests that change something have arrived.
    pub fn changes(&self) -> usize {
        self.state.changes.load(Ordering::SeqCst)
    }

    /// Breaks every connection; new ones are served.
    pub fn break_connections(&self) {
        self.state.interruptions.send_replace(());
    }

    /// Breaks every connection, and new ones too until [`Self::come_back`].
    pub fn go_down(&self) {
        self.state.down.store(true, Ordering::SeqCst);
        self.break_connections();
    }

    /// Serves again.
    pub fn come_back(&self) {
        self.state.down.store(false, Ordering::SeqCst);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Subscribed before the look: whoever goes down between the two breaks this connection too.
        let mut interruption = state.interruptions.subscribe();
        if state.down.load(Ordering::SeqCst) {
            continue;
        }
        let link = Arc::new(Link {
            state: Arc::clone(&state),
            upstream: tokio::sync::Mutex::default(),
        });
        connections.spawn(async move {
            tokio::select! {
                () = serve(stream, link) => {}
                _ = interruption.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, link: Arc<Link>) {
    let Ok(stream) = server::handshake(stream, link.state.additions.tls.clone()).await else {
        return;
    };
    let service = service_fn(move |request| {
        let link = Arc::clone(&link);
        async move { link.exchange(request).await }
    });
    // A connection that breaks is the client's to notice.
    drop(
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

impl Link {
    async fn exchange(
        &self,
        request: hyper::Request<Incoming>,
    ) -> io::Result<hyper::Response<Body>> {
        if let (TOKEN_PATH, Some(token)) = (request.uri().path(), self.state.additions.token) {
            return forward(&mut connect(token, None).await?, request.map(Body::new)).await;
        }
        let mut entry = access_log::Request {
            method: request.method().to_string(),
            path: request.uri().to_string(),
            status: 0,
            bytes: 0,
            user_agent: text(request.headers().get(USER_AGENT)),
        };
        let response = self.answer(request.map(Body::new)).await?;
        entry.status = response.status().as_u16();
        entry.bytes = text(response.headers().get(CONTENT_LENGTH))
            .parse()
            .unwrap_or(0);
        self.state.log.lock().unwrap().push(entry);
        Ok(response)
    }

    async fn answer(&self, request: hyper::Request<Body>) -> io::Result<hyper::Response<Body>> {
        let additions = &self.state.additions;
        if let Some(Err(refusal)) = additions
            .guard
            .as_ref()
            .map(|guard| guard.check(&head_of(&request)))
        {
            // A client may send its whole body before it reads the answer.
            to_bytes(request.into_body(), usize::MAX)
                .await
                .map_err(io::Error::other)?;
            return Ok(response_of(&refusal));
        }
        let is_overlooked = |part| request.uri().path().contains(part);
        if !is_mutating(request.method().as_str())
            || additions.overlooked.is_some_and(is_overlooked)
        {
            return self.forward_as_scripted(request).await;
        }
        let number = self.state.changes.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(watcher) = &additions.watcher else {
            return self.forward_as_scripted(request).await;
        };
        go_on(watcher(Moment::BeforeForward, number).await)?;
        let response = self.forward_as_scripted(request).await?;
        go_on(watcher(Moment::BeforeReply, number).await)?;
        let delivered = Delivered {
            watcher: Arc::clone(watcher),
            number,
        };
        Ok(response.map(|body| {
            Body::from_stream(body.into_data_stream().map(move |part| {
                let _with_the_body = &delivered;
                part
            }))
        }))
    }

    async fn forward(
        &self,
        mut request: hyper::Request<Body>,
    ) -> io::Result<hyper::Response<Body>> {
        if self.state.additions.tls.is_some() {
            request
                .headers_mut()
                .insert("x-forwarded-proto", HeaderValue::from_static("https"));
        }
        let mut upstream = self.upstream.lock().await;
        let mut sender = match upstream.take() {
            Some(sender) => sender,
            None => self.state.connect().await?,
        };
        if sender.ready().await.is_err() {
            sender = self.state.connect().await?;
        }
        let response = forward(&mut sender, request).await?;
        *upstream = Some(sender);
        Ok(response)
    }
}

impl State {
    async fn connect(&self) -> io::Result<SendRequest<Body>> {
        connect(self.upstream, self.additions.upstream_tls.clone()).await
    }
}

/// Says that an answer has left when its body is dropped: hyper does so once all of it is written.
struct Delivered {
    watcher: Watcher,
    number: usize,
}

impl Drop for Delivered {
    fn drop(&mut self) {
        let said = (self.watcher)(Moment::AfterReply, self.number);
        runtime().spawn(async move {
            tokio::time::sleep(DELIVERY).await;
            let _nothing_is_left_to_stop = said.await;
        });
    }
}

/// An error closes the connection without an answer.
fn go_on(verdict: ControlFlow<()>) -> io::Result<()> {
    match verdict {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

async fn connect(
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
) -> io::Result<SendRequest<Body>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream: Box<dyn Connection> = match tls {
        Some(tls) => {
            let name = ServerName::IpAddress(address.ip().into());
            Box::new(TlsConnector::from(tls).connect(name, stream).await?)
        }
        None => Box::new(stream),
    };
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn forward(
    sender: &mut SendRequest<Body>,
    request: hyper::Request<Body>,
) -> io::Result<hyper::Response<Body>> {
    let response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    Ok(response.map(Body::new))
}

fn head_of(request: &hyper::Request<Body>) -> http::Request {
    let mut head = http::Request {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        ..http::Request::default()
    };
    for (name, value) in request.headers() {
        head.headers
            .add(name.as_str(), value.to_str().unwrap_or_default());
    }
    head
}

fn response_of(reply: &Reply) -> hyper::Response<Body> {
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in reply.headers.iter() {
        response = response.header(name, value);
    }
    response
        .body(Body::from(reply.body.clone()))
        .expect("a valid answer")
}

fn text(value: Option<&HeaderValue>) -> String {
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}
