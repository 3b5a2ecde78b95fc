// SPDX-License-Identifier: Apache-2.0

//! A port that is listened on, within bounds.

mod connections;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::connections::Bounded;
pub use self::connections::Limits;

/// Address family not supported by protocol: `EAFNOSUPPORT` of Linux.
const NO_SUCH_FAMILY: i32 = 97;
/// How long answers may still be under way at the end.
const GRACE: Duration = Duration::from_secs(2);

/// A server, which listens from the moment it exists and answers once it is served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; give another address to {flag}")]
pub struct ListenError {
    address: SocketAddr,
    flag: &'static str,
    source: io::Error,
}

impl Server {
    /// Listens on the address that a flag names. Port 0 is any free one.
    pub async fn bind(
        address: SocketAddr,
        flag: &'static str,
        limits: Limits,
    ) -> Result<Self, ListenError> {
        let bind = async {
            let listener = listen(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bind.await.map_err(|source| ListenError {
            address,
            flag,
            source,
        })?;
        Ok(Self {
            listener,
            address,
            limits,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`.
    pub async fn serve(self, pages: Router, stop: CancellationToken) {
        let serve = axum::serve(Bounded::new(self.listener, self.limits), pages)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let end = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            // It has no errors: those of connections end the connections.
            _ = async { serve.await } => {}
            // A client that never ends its request does not hold up the end.
            () = end => {}
        }
    }
}

/// Where every address is meant and the machine has no IPv6, those of IPv4 are all.
async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if error.raw_os_error() == Some(NO_SUCH_FAMILY) && is_all_of_ipv6(address) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

fn is_all_of_ipv6(address: SocketAddr) -> bool {
    address.ip() == Ipv6Addr::UNSPECIFIED
}
