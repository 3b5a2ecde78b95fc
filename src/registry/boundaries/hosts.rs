// SPDX-License-Identifier: Apache-2.0

//! Hosts as an operator names them: those of plain HTTP, and those that may be used at all.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use url::{Host, Url};

use crate::oci::Registry;
use crate::oci::names::NameError;

/// A host that may be spoken to in plain HTTP: on one port, or on every one where none is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsecureHost {
    host: Host<String>,
    port: Option<u16>,
}

/// A pattern for registries: `*` stands for any characters, and for any port where none is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostGlob {
    /// With `*` for any characters, lower case.
    host: String,
    port: Option<u16>,
}

/// Why a text is no pattern for registries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostGlobError {
    /// It has no `*` and is no registry.
    #[error(transparent)]
    NotARegistry(#[from] NameError),
    /// It has a character that no registry has.
    #[error(
        "the pattern {text:?} for registries contains {character:?}, which no host has: \
         write a host, a host and port, or * for any characters, as in *.example.com"
    )]
    BadCharacter {
        /// The pattern.
        text: String,
        /// The first such character.
        character: char,
    },
}

// === impl InsecureHost ===

impl InsecureHost {
    /// Whether a URL leads there.
    pub(super) fn matches(&self, url: &Url) -> bool {
        let Self { host, port } = self;
        url.host().is_some_and(|found| found == *host)
            && port.is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

impl FromStr for InsecureHost {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let registry: Registry = text.parse()?;
        let host = Host::parse(registry.host()).map_err(|_| NameError::BadHost(text.to_owned()))?;
        Ok(Self {
            host,
            port: registry.port(),
        })
    }
}

// === impl HostGlob ===

impl HostGlob {
    /// The pattern for every registry.
    pub fn any() -> Self {
        Self {
            host: "*".to_owned(),
            port: None,
        }
    }

    /// Whether it is a pattern for this host, spoken to on this port.
    pub(super) fn matches(&self, host: &str, port: Option<u16>) -> bool {
        (self.port.is_none() || self.port == port) && is_match(&self.host, host)
    }
}

impl FromStr for HostGlob {
    type Err = HostGlobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains('*') {
            // All names of Docker Hub are one registry.
            let registry: Registry = text.parse()?;
            return Ok(Self {
                host: registry.host().to_owned(),
                port: registry.port(),
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                let bad_port = |_| NameError::BadPort {
                    text: text.to_owned(),
                    port: port.to_owned(),
                };
                (host, Some(port.parse().map_err(bad_port)?))
            }
            Some(_) | None => (text, None),
        };
        let is_address = host.starts_with('[') && host.ends_with(']');
        let signs = if is_address { "[:.]*" } else { "-.*" };
        let is_of_host = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
        match host.chars().find(|c| !is_of_host(*c)) {
            Some(character) => Err(HostGlobError::BadCharacter {
                text: text.to_owned(),
                character,
            }),
            None => Ok(Self {
                host: host.to_ascii_lowercase(),
                port: port.map(NonZeroU16::get),
            }),
        }
    }
}

impl fmt::Display for InsecureHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(formatter)?;
        match self.port {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for HostGlob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Whether a text is what a pattern says, of which `*` is any part. The leftmost match of each part
/// between two of them leaves the most for the rest, so none needs to be tried twice.
fn is_match(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut text) = text
        .strip_prefix(start)
        .and_then(|text| text.strip_suffix(end))
    else {
        return false;
    };
    for part in middle.split('*') {
        let Some(found) = text.find(part) else {
            return false;
        };
        text = text.get(found + part.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_of_plain_http() {
        let cases = [
            ("r.test", "http://r.test/", true),
            ("r.test", "http://r.test:5000/", true),
            ("R.test", "http://r.TEST/", true),
            ("r.test:5000", "http://r.test:5000/", true),
            ("r.test:5000", "http://r.test/", false),
            ("r.test:80", "http://r.test/", true),
            ("r.test", "http://a.r.test/", false),
            ("r.test", "http://r.test./", false),
            ("r.test", "http://r.test.evil.test/", false),
            ("127.0.0.1", "http://127.1/", true),
            ("127.1", "http://127.0.0.1/", true),
            ("[fd00::1]:80", "http://[fd00:0::1]/", true),
            ("[fd00::1]", "http://[fd00::2]/", false),
        ];
        for (text, url, expected) in cases {
            let host: InsecureHost = text.parse().unwrap();
            assert_eq!(
                host.matches(&url.parse().unwrap()),
                expected,
                "{text} {url}"
            );
        }
        for text in [
            "",
            "r.test/a",
            "http://r.test",
            "r.test:0",
            "*",
            "1.2.3.4.5",
            "::1",
        ] {
            assert!(text.parse::<InsecureHost>().is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_for_registries() {
        let cases = [
            ("*", "r.test:5000", true),
            ("r.test", "r.test", true),
            ("r.test", "r.test:5000", true),
            ("r.test:443", "r.test", true),
            ("r.test:5000", "r.test", false),
            ("r.test", "a.r.test", false),
            ("*.r.test", "a.r.test", true),
            ("*.r.test", "a.b.r.test:444", true),
            ("*.r.test", "r.test", false),
            ("*.r.test", "a.r.test.evil.test", false),
            ("*.r.test:5000", "a.r.test:5000", true),
            ("*.r.test:5000", "a.r.test:5001", false),
            ("*:5000", "r.test:5000", true),
            ("r*.*t", "r1.test", true),
            ("a*a", "a", false),
            ("a*b*c", "a-c-b", false),
            ("*.R.test", "A.r.TEST", true),
            ("index.docker.io", "docker.io", true),
            ("docker.io", "registry-1.docker.io", true),
            (
                "*.dkr.ecr.*.amazonaws.com",
                "1.dkr.ecr.eu-west-1.amazonaws.com",
                true,
            ),
            (
                "*.dkr.ecr.*.amazonaws.com",
                "1.dkr.ecr.eu-west-1.amazonaws.com.evil.test",
                false,
            ),
            ("[fd00::*]", "[fd00::1]", true),
            ("[fd00::*]:5000", "[fd00::1]:5000", true),
            ("[fd00::*]:5000", "[fd00::1]", false),
        ];
        for (text, registry, expected) in cases {
            let glob: HostGlob = text.parse().unwrap();
            let registry: Registry = registry.parse().unwrap();
            let port = registry.port().or(Some(443));
            assert_eq!(
                glob.matches(registry.host(), port),
                expected,
                "{text} {registry}"
            );
        }
    }

    #[test]
    fn texts_that_are_no_patterns() {
        let cases = [
            "",
            "r.test/a",
            "r_1.test",
            "https://*",
            "*/a",
            "*:0",
            "*:x",
            "a b*",
            "::*",
        ];
        let errors: Vec<_> = cases
            .into_iter()
            .map(|text| text.parse::<HostGlob>().unwrap_err().to_string())
            .collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        the registry is empty
        registry "r.test/a" contains a path: name only the host and port, the rest belongs to the repository
        registry "r_1.test" is not a host name, an IPv4 address or an IPv6 address in brackets
        the pattern "https://*" for registries contains ':', which no host has: write a host, a host and port, or * for any characters, as in *.example.com
        the pattern "*/a" for registries contains '/', which no host has: write a host, a host and port, or * for any characters, as in *.example.com
        registry "*:0" has the port "0": expected a number from 1 to 65535
        the pattern "*:x" for registries contains ':', which no host has: write a host, a host and port, or * for any characters, as in *.example.com
        the pattern "a b*" for registries contains ' ', which no host has: write a host, a host and port, or * for any characters, as in *.example.com
        the pattern "::*" for registries contains ':', which no host has: write a host, a host and port, or * for any characters, as in *.example.com
        "#);
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_it_is_made_from(text in "[a-c.]{1,12}", stars in "[a-c.*]{0,6}") {
            let pattern: String = text
                .char_indices()
                .map(|(at, c)| if stars.get(at..=at) == Some("*") { '*' } else { c })
                .collect();
            prop_assert!(is_match(&pattern, &text), "{} {}", pattern, text);
            prop_assert!(is_match("*", &text));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[a-z*.:\\[\\]]{0,20}") {
            let _ = text.parse::<HostGlob>();
            let _ = text.parse::<InsecureHost>();
        }
    }
}
