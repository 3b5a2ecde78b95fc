// SPDX-License-Identifier: Apache-2.0

//! Where the page is served.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Where the page is served: a port alone is that of loopback, which nobody reaches from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageAddress(SocketAddr);

/// A text that says nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a port of this machine, such as 8082, or an IP address with its port, such as 127.0.0.1:8082 or [::]:8082"
)]
pub struct PageAddressError;

impl PageAddress {
    /// Address and port.
    pub fn socket(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for PageAddress {
    type Err = PageAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = text.strip_prefix("localhost:").unwrap_or(text);
        if let Ok(port) = port.parse::<u16>() {
            return Ok(Self((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Self).map_err(|_| PageAddressError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_that_of_loopback() {
        for (text, expected) in [
            ("8082", Some("127.0.0.1:8082")),
            ("0", Some("127.0.0.1:0")),
            ("0.0.0.0:8082", Some("0.0.0.0:8082")),
            ("[::]:8082", Some("[::]:8082")),
            (":8082", None),
            ("localhost:8082", Some("127.0.0.1:8082")),
            ("localhost:", None),
            ("registry.example.com:8082", None),
            ("65536", None),
            ("", None),
        ] {
            let address: Option<PageAddress> = text.parse().ok();
            let address = address.map(|address| address.socket().to_string());
            assert_eq!(address.as_deref(), expected, "{text:?}");
        }
    }
}
