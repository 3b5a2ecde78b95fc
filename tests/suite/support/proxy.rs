// SPDX-License-Identifier: Apache-2.0

//! A longer way to a server: a TCP proxy that delays and does not narrow.

use std::io::Result;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::http::server;
use super::runtime;

/// Read at a time.
const CHUNK: usize = 64 * 1024;

/// Chunks on their way in one direction: enough that the delay and not this bounds what is in flight.
const IN_FLIGHT: usize = 1024;

/// A running proxy. It ends when dropped.
pub struct DelayProxy {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: AbortHandle,
}

/// A chunk and when it arrives.
type Parcel = (Instant, Bytes);

impl DelayProxy {
    /// Puts a server `delay` away: every byte takes that long in each direction, and a new connection
    /// takes one round trip before its first byte leaves, as a TCP handshake does.
    pub fn start(upstream: SocketAddr, delay: Duration) -> Self {
        let _runtime = runtime().enter();
        Self::serve(server::listen(), upstream, delay)
    }

    /// Another address of a server, which is no farther away there.
    pub fn at(address: SocketAddr, upstream: SocketAddr) -> Self {
        let _runtime = runtime().enter();
        Self::serve(server::listen_at(address), upstream, Duration::ZERO)
    }

    fn serve(listener: TcpListener, upstream: SocketAddr, delay: Duration) -> Self {
        let address = listener.local_addr().expect("a bound socket");
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let task = tokio::spawn(accept(listener, (upstream, delay), counter)).abort_handle();
        Self {
            address,
            connections,
            task,
        }
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// `127.0.0.1:PORT`, as it stands in a reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    (upstream, delay): (SocketAddr, Duration),
    accepted: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        accepted.fetch_add(1, SeqCst);
        connections.spawn(connect(client, upstream, delay));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: TcpStream, upstream: SocketAddr, delay: Duration) -> Result<()> {
    let established = Instant::now() + 2 * delay;
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::try_join!(
        carry(from_client, to_server, established, delay),
        carry(from_server, to_client, established, delay)
    )?;
    Ok(())
}

/// Carries one direction; what is read goes into a queue with its time of arrival, so that reading
/// never waits for delivering.
async fn carry(
    mut from: OwnedReadHalf,
    to: OwnedWriteHalf,
    established: Instant,
    delay: Duration,
) -> Result<()> {
    let (parcels, arrivals) = mpsc::channel::<Parcel>(IN_FLIGHT);
    let delivering = tokio::spawn(deliver(arrivals, to));
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        // A reset is passed on as an end: either way there is nothing more to carry.
        let read = from.read_buf(&mut buffer).await.unwrap_or(0);
        let departure = Instant::now().max(established);
        if read == 0
            || parcels
                .send((departure + delay, buffer.split().freeze()))
                .await
                .is_err()
        {
            break;
        }
    }
    drop(parcels);
    delivering.await?
}

async fn deliver(mut arrivals: mpsc::Receiver<Parcel>, mut to: OwnedWriteHalf) -> Result<()> {
    while let Some((arrival, bytes)) = arrivals.recv().await {
        sleep_until(arrival).await;
        to.write_all(&bytes).await?;
    }
    to.shutdown().await
}
