// SPDX-License-Identifier: Apache-2.0

//! A proxy that connects to one server, whichever host it is asked for (CONNECT, RFC 9110, section 9.3.6).

use std::io::{Error, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::http::server;
use super::runtime;

/// The longest head of a request.
const HEAD: usize = 16 * 1024;

/// A running proxy. It ends when dropped.
pub struct Tunnel {
    address: SocketAddr,
    task: AbortHandle,
}

impl Tunnel {
    /// A proxy to this server.
    pub fn to(upstream: SocketAddr) -> Self {
        let _runtime = runtime().enter();
        let listener = server::listen();
        let address = listener.local_addr().expect("a bound socket");
        let task = tokio::spawn(accept(listener, upstream)).abort_handle();
        Self { address, task }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connect(client, upstream));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(mut client: TcpStream, upstream: SocketAddr) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD {
            return Err(Error::other("a long head"));
        }
        head.push(client.read_u8().await?);
    }
    if !head.starts_with(b"CONNECT ") {
        return client
            .write_all(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n")
            .await;
    }
    let mut server = TcpStream::connect(upstream).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
