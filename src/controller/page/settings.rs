// SPDX-License-Identifier: Apache-2.0

//! Where the page is served, and whether everybody there sees everything.

use std::net::SocketAddr;

/// Where the page is served, and to whom. What is reachable from elsewhere asks who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSettings {
    address: SocketAddr,
    asks_who: bool,
}

/// Everybody who reaches the address would see everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page at {0} can be reached from other machines")]
pub struct UnguardedPage(pub SocketAddr);

impl PageSettings {
    /// The page at this address; with `asks_who` each person sees the namespaces in which they may get mirrors.
    pub fn new(address: SocketAddr, asks_who: bool) -> Result<Self, UnguardedPage> {
        if asks_who || address.ip().is_loopback() {
            return Ok(Self { address, asks_who });
        }
        Err(UnguardedPage(address))
    }

    /// Where it is served.
    pub fn address(self) -> SocketAddr {
        self.address
    }

    /// Whether it asks who looks.
    pub fn asks_who(self) -> bool {
        self.asks_who
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reachable_from_elsewhere_asks_who_looks() {
        for (address, asks_who, is_allowed) in [
            ("127.0.0.1:8082", false, true),
            ("127.0.0.1:8082", true, true),
            ("[::1]:8082", false, true),
            ("127.9.9.9:8082", false, true),
            ("0.0.0.0:8082", false, false),
            ("[::]:8082", false, false),
            ("10.0.0.1:8082", false, false),
            ("[::ffff:127.0.0.1]:8082", false, false),
            ("0.0.0.0:8082", true, true),
        ] {
            let settings = PageSettings::new(address.parse().unwrap(), asks_who);
            assert_eq!(settings.is_ok(), is_allowed, "{address} {asks_who}");
        }
    }
}
