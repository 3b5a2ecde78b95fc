// SPDX-License-Identifier: Apache-2.0

//! The listener: connections, TLS, and the application of a script to every exchange.

use std::io::{ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::super::runtime;
use super::script::{Act, Gate, Plan, Script};
use super::wire::{self, Stream};
use super::{Reply, Request};

/// How much of an endless body is written at a time.
const ENDLESS_CHUNK: usize = 64 * 1024;

/// What answers where no rule does.
pub trait Handler: Send + Sync + 'static {
    /// Does what is asked.
    fn answer(&self, request: &Request) -> Reply;

    /// Answers the same and changes nothing.
    fn rehearse(&self, request: &Request) -> Reply;
}

/// A running server on a loopback port of its own. It ends when dropped.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    script: Arc<Script>,
    connections: Arc<AtomicUsize>,
    running: watch::Sender<usize>,
    task: AbortHandle,
}

/// How the connection goes on after an exchange.
enum Next {
    Keep,
    Close,
}

struct Exchange {
    handler: Arc<dyn Handler>,
    script: Arc<Script>,
    running: watch::Sender<usize>,
}

/// Counts a request as long as it is being answered.
struct Running<'a>(&'a watch::Sender<usize>);

impl Server {
    /// Starts to listen, with TLS where a configuration is given.
    pub fn start(handler: Arc<dyn Handler>, tls: Option<Arc<ServerConfig>>) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, handler, tls)
    }

    /// The same on another loopback address.
    pub fn start_at(
        address: Ipv4Addr,
        handler: Arc<dyn Handler>,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let _runtime = runtime().enter();
        let listener = listen_at((address, 0).into());
        let address = listener.local_addr().expect("a bound socket");
        let script = Arc::new(Script::default());
        let running = watch::Sender::new(0);
        let exchange = Arc::new(Exchange {
            handler,
            script: Arc::clone(&script),
            running: running.clone(),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let connections = Arc::new(AtomicUsize::new(0));
        let task =
            tokio::spawn(accept(listener, tls, exchange, Arc::clone(&connections))).abort_handle();
        Self {
            address,
            scheme,
            script,
            connections,
            running,
            task,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL without a trailing slash.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until no request is being answered: who asked has the answer, or has left.
    pub async fn quiet(&self) {
        self.running
            .subscribe()
            .wait_for(|running| *running == 0)
            .await
            .expect("the server holds its own sender");
    }

    /// Its rules and its record.
    pub fn script(&self) -> &Script {
        &self.script
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A listener on a free loopback port. Needs the context of a runtime.
pub fn listen() -> tokio::net::TcpListener {
    listen_at((Ipv4Addr::LOCALHOST, 0).into())
}

/// A listener on an address of this machine. Needs the context of a runtime.
pub fn listen_at(address: SocketAddr) -> tokio::net::TcpListener {
    let listener = TcpListener::bind(address).expect("a free port");
    listener.set_nonblocking(true).expect("a socket option");
    tokio::net::TcpListener::from_std(listener).expect("a listener")
}

/// Accepts a connection, with TLS where a configuration is given.
pub async fn handshake(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
) -> Result<Box<dyn wire::Connection>> {
    stream.set_nodelay(true)?;
    Ok(match tls {
        Some(tls) => Box::new(TlsAcceptor::from(tls).accept(stream).await?),
        None => Box::new(stream),
    })
}

async fn accept(
    listener: tokio::net::TcpListener,
    tls: Option<Arc<ServerConfig>>,
    exchange: Arc<Exchange>,
    accepted: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        accepted.fetch_add(1, Ordering::SeqCst);
        let (tls, exchange) = (tls.clone(), Arc::clone(&exchange));
        connections.spawn(async move {
            let mut stream = BufReader::new(handshake(stream, tls).await?);
            while let Next::Keep = exchange.run(&mut stream).await? {}
            stream.shutdown().await
        });
        while connections.try_join_next().is_some() {}
    }
}

impl Exchange {
    async fn run(&self, stream: &mut Stream) -> Result<Next> {
        let Some(mut request) = wire::read_head(stream).await? else {
            return Ok(Next::Close);
        };
        let _running = Running::new(&self.running);
        let place = self.script.record(&request);
        let mut plan = self.script.plan(&request);
        if let Some(limit) = plan.cut_upload {
            let length = wire::read_part_of_body(stream, &request.headers, limit).await?;
            self.script.amend(place, |entry| entry.body_length = length);
            return Ok(Next::Close);
        }
        if let Some(reply) = plan.early.take() {
            self.deliver(
                stream,
                place,
                &request,
                reply.header("connection", "close"),
                &plan,
            )
            .await?;
            // Closing on unread bytes would reset the connection and take the answer with it.
            tokio::io::copy(stream, &mut tokio::io::sink()).await?;
            return Ok(Next::Close);
        }
        for gate in &plan.hold_upload {
            gate.pass().await;
        }
        request.body = wire::read_body(stream, &request.headers).await?;
        self.script
            .amend(place, |entry| entry.body_length = request.body.len());
        if plan.ignore_range {
            request.headers.remove("range");
        }
        for gate in &plan.hold {
            gate.pass().await;
        }
        match self.act(&request, &plan.act) {
            Some(reply) => self.deliver(stream, place, &request, reply, &plan).await,
            None => Ok(Next::Close),
        }
    }

    fn act(&self, request: &Request, act: &Act) -> Option<Reply> {
        match act {
            Act::Commit => Some(self.handler.answer(request)),
            Act::Rehearse => Some(self.handler.rehearse(request)),
            Act::CommitThen(reply) => {
                self.handler.answer(request);
                reply.clone()
            }
            Act::Instead(reply) => reply.clone(),
        }
    }

    async fn deliver(
        &self,
        stream: &mut Stream,
        place: usize,
        request: &Request,
        mut reply: Reply,
        plan: &Plan,
    ) -> Result<Next> {
        for gate in &plan.hold_reply {
            wait(stream, gate).await?;
        }
        let is_head = request.method == "HEAD";
        announce_length(&mut reply);
        for edit in &plan.edits {
            edit.apply(&mut reply, is_head);
        }
        if plan.endless {
            reply.headers.remove("content-length");
        }
        self.script
            .amend(place, |entry| entry.status = Some(reply.status));
        wire::write_head(stream, &reply).await?;
        if plan.endless {
            loop {
                self.send(stream, place, &vec![0; ENDLESS_CHUNK]).await?;
            }
        }
        if is_head {
            return Ok(Next::Keep);
        }
        let sent = self.send_body(stream, place, &reply.body, plan).await?;
        Ok(if ends_cleanly(&reply, sent) {
            Next::Keep
        } else {
            Next::Close
        })
    }

    /// Sends as much of a body as the plan allows, and says how much that was.
    async fn send_body(
        &self,
        stream: &mut Stream,
        place: usize,
        body: &[u8],
        plan: &Plan,
    ) -> Result<usize> {
        let body = &body[..plan.cut_body.unwrap_or(usize::MAX).min(body.len())];
        let mut rest = body;
        if let Some((length, gate)) = &plan.hold_body {
            let (before, after) = body.split_at((*length).min(body.len()));
            self.send(stream, place, before).await?;
            wait(stream, gate).await?;
            rest = after;
        }
        self.send(stream, place, rest).await?;
        Ok(body.len())
    }

    async fn send(&self, stream: &mut Stream, place: usize, bytes: &[u8]) -> Result<()> {
        stream.write_all(bytes).await?;
        stream.flush().await?;
        self.script
            .amend(place, |entry| entry.body_sent += bytes.len());
        Ok(())
    }
}

impl<'a> Running<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|running| *running += 1);
        Self(count)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

/// Stands at a gate with an answer, as long as there is somebody to hear it.
async fn wait(stream: &mut Stream, gate: &Gate) -> Result<()> {
    let left = async {
        if !stream.fill_buf().await?.is_empty() {
            std::future::pending::<()>().await;
        }
        Err(ErrorKind::ConnectionAborted.into())
    };
    tokio::select! {
        () = gate.pass() => Ok(()),
        left = left => left,
    }
}

fn announce_length(reply: &mut Reply) {
    if reply.headers.value("content-length").is_none() && reply.status != 204 && reply.status != 304
    {
        reply
            .headers
            .add("content-length", &reply.body.len().to_string());
    }
}

/// Whether the client can tell where the answer ended, so that another may follow on the connection.
fn ends_cleanly(reply: &Reply, sent: usize) -> bool {
    let announced = reply
        .headers
        .value("content-length")
        .and_then(|length| length.parse().ok());
    let closes = reply
        .headers
        .value("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    !closes
        && announced.unwrap_or(0) == sent
        && (announced.is_some() || reply.status == 204 || reply.status == 304)
}
