// SPDX-License-Identifier: Apache-2.0

//! A slow network for each of several processes: so many bytes a second each way, whatever it talks to.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::shared::units::float;
use crate::support::http::server::listen;

/// Bytes that travel at a time.
const PARCEL: usize = 16 << 10;

/// The networks of processes.
pub(crate) struct Lanes {
    bytes_per_second: usize,
    lanes: Mutex<Vec<Arc<Lane>>>,
}

/// The network of one process.
struct Lane {
    pid: u32,
    up: Direction,
    down: Direction,
}

/// When the next byte may travel.
struct Direction {
    bytes_per_second: usize,
    free: Mutex<Instant>,
}

/// A way to a server, by the network of whoever comes. It ends when dropped.
pub(crate) struct Way {
    address: SocketAddr,
    task: AbortHandle,
}

// === impl Lanes ===

impl Lanes {
    /// Networks that carry so many bytes a second each way.
    pub(crate) fn of(bytes_per_second: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes_per_second,
            lanes: Mutex::default(),
        })
    }

    /// A way to a server for everybody who has a network.
    pub(crate) fn way_to(self: &Arc<Self>, upstream: SocketAddr) -> Way {
        let listener = listen();
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|error| panic!("no address: {error}"));
        let task = tokio::spawn(accept(listener, upstream, Arc::clone(self))).abort_handle();
        Way { address, task }
    }

    /// A network for a process.
    pub(crate) fn open_for(&self, pid: u32) {
        let direction = || Direction {
            bytes_per_second: self.bytes_per_second,
            free: Mutex::new(Instant::now()),
        };
        self.all().push(Arc::new(Lane {
            pid,
            up: direction(),
            down: direction(),
        }));
    }

    /// The network of the process at the other end of a connection.
    fn lane_of(&self, client: SocketAddr) -> Option<Arc<Lane>> {
        let inode = inode_of(client)?;
        let lanes = self.all();
        let lane = lanes.iter().find(|lane| lane.has(&inode));
        lane.map(Arc::clone)
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Lane ===

impl Lane {
    fn has(&self, inode: &str) -> bool {
        let socket = format!("socket:[{inode}]");
        let files = fs::read_dir(format!("/proc/{}/fd", self.pid));
        let mut files = files.into_iter().flatten().flatten();
        files.any(|file| fs::read_link(file.path()).is_ok_and(|link| link == Path::new(&socket)))
    }
}

// === impl Direction ===

impl Direction {
    /// Waits until so many bytes have travelled.
    async fn carry(&self, bytes: usize) {
        let there = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let takes = Duration::from_secs_f64(float(bytes) / float(self.bytes_per_second));
            *free = Instant::now().max(*free) + takes;
            *free
        };
        sleep_until(there).await;
    }
}

// === impl Way ===

impl Way {
    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, lanes: Arc<Lanes>) {
    let mut connections = JoinSet::new();
    while let Ok((client, address)) = listener.accept().await {
        // Who has no network is not let through.
        if let Some(lane) = lanes.lane_of(address) {
            connections.spawn(connect(client, upstream, lane));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: TcpStream, upstream: SocketAddr, lane: Arc<Lane>) -> Result<()> {
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::try_join!(
        carry(from_client, to_server, &lane.up),
        carry(from_server, to_client, &lane.down)
    )?;
    Ok(())
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: &Direction,
) -> Result<()> {
    let mut parcel = vec![0; PARCEL];
    loop {
        let read = from.read(&mut parcel).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        direction.carry(read).await;
        to.write_all(&parcel[..read]).await?;
    }
}

/// The number of the socket with this address on this machine, by the kernel's table of connections over IPv4.
fn inode_of(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    // Bytes of the address stand in the order of the machine, those of the port as a number is written.
    let ip = u32::from_ne_bytes(address.ip().octets());
    let local = format!("{ip:08X}:{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let mut lines = table.lines().skip(1).map(str::split_whitespace);
    let mut line = lines.find(|line| line.clone().nth(1) == Some(&local))?;
    line.nth(9).map(str::to_owned)
}
