// SPDX-License-Identifier: Apache-2.0

//! Registries: a host and an optional port.

use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{NameError, NameKind, check_length, refuse_scheme};
use super::host;

/// Longest host name and port of a registry.
const REGISTRY_LENGTH: usize = 259;

/// The port of HTTP.
const HTTP: u16 = 80;
/// The port of HTTPS.
const HTTPS: u16 = 443;

/// The names under which Docker Hub is known; all of them are one registry.
const DOCKER_HUB_NAMES: [&str; 4] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
];

/// A registry: host and optional port, by the one name that it has in credentials, records and claims.
///
/// The name is lower case, without the port of HTTPS, with addresses in their shortest form; all names of
/// Docker Hub are `docker.io`. A host that ends in a dot is refused, as the grammar of references does
/// (distribution, reference.go). Two names may still lead to one registry: see [`Registry::may_be`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema, Deserialize)]
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

    /// Whether nothing in the names says that this is another registry than `other`.
    ///
    /// For who wants and who writes a tag, and never for what a credential is sent to: `localhost` and every
    /// other way to write this machine are one, addresses of IPv4 and their forms in IPv6 are one, and so are
    /// the ports 80, 443 and none, which often are two doors to one registry. That hosts with different names
    /// are one machine cannot be known from them.
    pub fn may_be(&self, other: &Self) -> bool {
        self == other || self.stand_in() == other.stand_in()
    }

    /// One name for all the registries that [`Registry::may_be`] takes for this one: a key to find them by,
    /// and not to be connected to or shown.
    #[must_use]
    pub fn stand_in(&self) -> Self {
        let host = host::stand_in(self.host());
        match self.port() {
            port if host == self.host() && port != Some(HTTP) => self.clone(),
            Some(port) if port != HTTP => Self(format!("{host}:{port}").into()),
            Some(_) | None if DOCKER_HUB_NAMES.contains(&&*host) => Self::docker_hub(),
            Some(_) | None => Self(host.into()),
        }
    }

    /// Whether a text names a registry with the port of HTTPS, which a [`Registry`] does not show any more.
    pub fn is_https_port_named(text: &str) -> bool {
        split_port(text).1.and_then(read_port) == Some(HTTPS)
    }

    /// Whether it is on the machine itself, as far as its name tells.
    pub fn is_loopback(&self) -> bool {
        host::is_loopback(self.host())
    }

    /// Whether this is Docker Hub.
    pub fn is_docker_hub(&self) -> bool {
        *self.0 == *DOCKER_HUB_NAMES[0]
    }
}

impl FromStr for Registry {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        refuse_scheme(NameKind::Registry, text)?;
        check_length(NameKind::Registry, text, REGISTRY_LENGTH)?;
        if text.contains('/') {
            return Err(NameError::RegistryHasPath(text.to_owned()));
        }
        let (host, port) = split_port(text);
        let port = port
            .map(|port| {
                read_port(port).ok_or_else(|| NameError::BadPort {
                    text: text.to_owned(),
                    port: port.to_owned(),
                })
            })
            .transpose()?;
        let host = host::canonical(host).ok_or_else(|| NameError::BadHost(text.to_owned()))?;
        let name = match port {
            Some(port) if port != HTTPS => format!("{host}:{port}"),
            Some(_) | None => host,
        };
        if DOCKER_HUB_NAMES.contains(&name.as_str()) {
            return Ok(Self::docker_hub());
        }
        Ok(Self(name.into()))
    }
}

/// Leading zeros change nothing.
fn read_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
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
            ("r.test:0443", "r.test", None),
            ("r.test:05000", "r.test", Some(5000)),
            ("[fd00::1]", "[fd00::1]", None),
            ("[FD00:0:0::0001]:5000", "[fd00::1]", Some(5000)),
            ("[0:0:0:0:0:0:0:1]:5000", "[::1]", Some(5000)),
            ("[::ffff:7f00:1]", "[::ffff:127.0.0.1]", None),
            ("127.1:5000", "127.0.0.1", Some(5000)),
            ("0x7f.0.0.1", "127.0.0.1", None),
            ("2130706433", "127.0.0.1", None),
            ("1.2.3.256", "1.2.3.256", None),
            ("INDEX.docker.io:443", "docker.io", None),
            ("docker.io:5000", "docker.io", Some(5000)),
            ("[fd00::1]:80", "[fd00::1]", Some(80)),
        ];
        for (text, host, port) in cases {
            let registry: Registry = text.parse().unwrap();
            assert_eq!((registry.host(), registry.port()), (host, port), "{text}");
        }
    }

    /// Each line: names that cannot be told apart, and are told from those of all other lines.
    const LINES: [&[&str]; 10] = [
        &[
            "eu.example",
            "EU.example:443",
            "eu.example:80",
            "eu.example:080",
        ],
        &["eu.example:5000", "eu.EXAMPLE:05000"],
        &["us.example"],
        &[
            "localhost",
            "a.localhost:80",
            "127.0.0.1",
            "127.9.9.9:443",
            "0.0.0.0",
            "[::1]",
            "[::]",
        ],
        &[
            "localhost:5000",
            "localhost.localdomain:5000",
            "ip6-localhost:5000",
            "127.0.0.1:5000",
            "127.1:5000",
            "2130706433:5000",
            "[::1]:5000",
            "[0:0:0:0:0:0:0:1]:5000",
            "[::ffff:127.0.0.1]:5000",
            "[::ffff:7f00:1]:5000",
        ],
        &["localhost:5001", "[::1]:5001"],
        &[
            "10.0.0.1",
            "[::ffff:10.0.0.1]:443",
            "[::ffff:a00:1]:80",
            "167772161",
        ],
        &["[fd00::1]", "[fd00:0:0:0:0:0:0:1]:443"],
        &[
            "docker.io",
            "index.docker.io",
            "registry-1.docker.io:443",
            "index.docker.io:80",
            "registry.hub.docker.com",
        ],
        &["docker.io:5000"],
    ];

    #[test]
    fn registries_that_cannot_be_told_apart() {
        let parse = |name: &str| name.parse::<Registry>().unwrap();
        for (index, line) in LINES.iter().enumerate() {
            for (other, others) in LINES.iter().enumerate() {
                for (left, right) in line
                    .iter()
                    .flat_map(|left| others.iter().map(move |right| (left, right)))
                {
                    let may_be = parse(left).may_be(&parse(right));
                    assert_eq!(may_be, index == other, "{left} {right}");
                }
            }
        }
    }

    #[test]
    fn what_may_be_the_same_is_no_reason_for_the_same_name() {
        for (text, name) in [
            ("127.0.0.1:5000", "127.0.0.1:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("localhost:80", "localhost:80"),
            ("[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"),
        ] {
            assert_eq!(text.parse::<Registry>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn the_port_of_https_is_named_or_not() {
        for (text, expected) in [
            ("r.test:443", true),
            ("r.test:0443", true),
            ("[::1]:443", true),
            ("r.test", false),
            ("r.test:4430", false),
            ("[::443]", false),
        ] {
            assert_eq!(Registry::is_https_port_named(text), expected, "{text}");
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
            "a.",
            "a.:5000",
            "a::5000",
            "[::1]]",
            "[fe80::1%25eth0]",
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
