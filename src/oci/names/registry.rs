//! Registries: a host and an optional port.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Kind, NameError, check_length, refuse_scheme};

/// Longest host name and port of a registry.
const REGISTRY_LENGTH: usize = 259;

/// The names under which Docker Hub is known; all of them are one registry.
const DOCKER_HUB_NAMES: [&str; 4] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
];

/// A registry: host and optional port, lower case. All names of Docker Hub are `docker.io`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Registry(Arc<str>);

text_traits!(Registry);

// === impl Registry ===

impl Registry {
    /// Docker Hub.
    pub fn docker_hub() -> Self {
        Self(DOCKER_HUB_NAMES[0].into())
    }

    /// The name that people know: `docker.io` for Docker Hub.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host and port that answer the API: `registry-1.docker.io` for Docker Hub.
    pub fn api_host(&self) -> &str {
        if self.is_docker_hub() {
            DOCKER_HUB_NAMES[2]
        } else {
            &self.0
        }
    }

    /// The host of the name that people know: a name, an IPv4 address or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        split_port(&self.0).0
    }

    /// The port, where the name has one.
    pub fn port(&self) -> Option<u16> {
        split_port(&self.0).1?.parse().ok()
    }

    /// The same registry by its only name where it is spoken to in plain HTTP: without its port where that
    /// is the one of HTTP. That of HTTPS is never part of a name.
    #[must_use]
    pub fn in_plain_http(&self) -> Self {
        match self.0.strip_suffix(":80") {
            Some(host) => Self(host.into()),
            None => self.clone(),
        }
    }

    /// Whether this is Docker Hub.
    pub fn is_docker_hub(&self) -> bool {
        *self.0 == *DOCKER_HUB_NAMES[0]
    }
}

impl FromStr for Registry {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        refuse_scheme(Kind::Registry, text)?;
        check_length(Kind::Registry, text, REGISTRY_LENGTH)?;
        if text.contains('/') {
            return Err(NameError::RegistryHasPath(text.to_owned()));
        }
        let (host, port) = split_port(text);
        if let Some(port) = port
            && !(port.bytes().all(|byte| byte.is_ascii_digit())
                && port.parse::<u16>().is_ok_and(|port| port > 0))
        {
            return Err(NameError::BadPort {
                text: text.to_owned(),
                port: port.to_owned(),
            });
        }
        if !is_host(host) {
            return Err(NameError::BadHost(text.to_owned()));
        }
        let text = text.to_ascii_lowercase();
        // One registry has one name, with which it is found in credentials, records and claims.
        let text = if port == Some("443") {
            host.to_ascii_lowercase()
        } else {
            text
        };
        if DOCKER_HUB_NAMES.contains(&text.as_str()) {
            return Ok(Self::docker_hub());
        }
        Ok(Self(text.into()))
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    let behind_address = text.rfind(']').map_or(0, |end| end + 1);
    match text.get(behind_address..).and_then(|rest| rest.rfind(':')) {
        Some(colon) => {
            let (host, port) = text.split_at(behind_address + colon);
            (host, Some(port.trim_start_matches(':')))
        }
        None => (text, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_docker_hub_is_one_registry() {
        for name in DOCKER_HUB_NAMES {
            let registry: Registry = name.parse().unwrap();
            assert_eq!(
                (registry.as_str(), registry.api_host()),
                ("docker.io", "registry-1.docker.io")
            );
        }
    }

    #[test]
    fn hosts_and_ports() {
        let cases = [
            ("index.docker.io", "docker.io", None),
            ("R.test", "r.test", None),
            ("r.test:5000", "r.test", Some(5000)),
            ("r.test:443", "r.test", None),
            ("R.test:443", "r.test", None),
            ("docker.io:443", "docker.io", None),
            ("registry-1.docker.io:443", "docker.io", None),
            ("[fd00::1]:443", "[fd00::1]", None),
            ("r.test:80", "r.test", Some(80)),
            ("r.test:4430", "r.test", Some(4430)),
            ("[fd00::1]", "[fd00::1]", None),
            ("[fd00::1]:80", "[fd00::1]", Some(80)),
        ];
        for (text, host, port) in cases {
            let registry: Registry = text.parse().unwrap();
            assert_eq!((registry.host(), registry.port()), (host, port), "{text}");
        }
    }

    #[test]
    fn in_plain_http_port_80_is_no_part_of_the_name() {
        for (text, expected) in [
            ("r.test:80", "r.test"),
            ("[fd00::1]:80", "[fd00::1]"),
            ("r.test:8080", "r.test:8080"),
            ("r.test", "r.test"),
        ] {
            let registry: Registry = text.parse().unwrap();
            assert_eq!(registry.in_plain_http().as_str(), expected);
        }
    }

    #[test]
    fn registries_by_the_rules_of_hosts() {
        for good in [
            "localhost",
            "registry",
            "a.b:5000",
            "127.0.0.1:1",
            "[::1]:5000",
            "[fd00::1]",
            "Quay.IO",
            "xn--p1ai",
        ] {
            assert!(good.parse::<Registry>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a..b",
            "-a",
            "a-",
            "a_b",
            "::1",
            "[::1",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "https://a",
            "a/b",
            "a b",
            "ä.de",
        ] {
            assert!(bad.parse::<Registry>().is_err(), "{bad}");
        }
    }
}
