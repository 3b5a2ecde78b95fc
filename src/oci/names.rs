//! The names of a reference: registry, repository, tag (distribution specification, pulling manifests).

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest host name and port of a registry.
const REGISTRY_LENGTH: usize = 259;
/// Longest repository name.
const REPOSITORY_LENGTH: usize = 255;
/// Longest tag.
const TAG_LENGTH: usize = 128;

/// The names under which Docker Hub is known; all of them are one registry.
const DOCKER_HUB_NAMES: [&str; 4] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
];

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty.
    #[error("the {0} is empty")]
    Empty(Kind),
    /// The name is too long.
    #[error("{kind} {text:?} has {found} characters, at most {most} are allowed")]
    TooLong {
        /// What is named.
        kind: Kind,
        /// The name.
        text: String,
        /// Its length in bytes.
        found: usize,
        /// The longest allowed.
        most: usize,
    },
    /// The name has a scheme.
    #[error("{kind} {text:?} starts with {scheme:?}: write the host without it")]
    HasScheme {
        /// What is named.
        kind: Kind,
        /// The name.
        text: String,
        /// What to leave out.
        scheme: String,
    },
    /// The registry has a path.
    #[error(
        "registry {0:?} contains a path: name only the host and port, the rest belongs to the repository"
    )]
    RegistryHasPath(String),
    /// The host is not a host name or address.
    #[error("registry {0:?} is not a host name, an IPv4 address or an IPv6 address in brackets")]
    BadHost(String),
    /// The port is not one.
    #[error("registry {text:?} has the port {port:?}: expected a number from 1 to 65535")]
    BadPort {
        /// The registry.
        text: String,
        /// What stands behind the colon.
        port: String,
    },
    /// A repository has upper-case letters.
    #[error("repository {text:?} contains {character:?}: repository names are lower case")]
    UpperCase {
        /// The repository.
        text: String,
        /// The first upper-case letter.
        character: char,
    },
    /// A path component is not allowed.
    #[error(
        "repository {text:?} has the component {component:?}: a component is lower-case letters and digits, \
         separated by '.', '_', '__' or dashes"
    )]
    BadComponent {
        /// The repository.
        text: String,
        /// The component.
        component: String,
    },
    /// A repository looks like an image id.
    #[error(
        "repository {0:?} is 64 hex digits, which reads as an image id: give the repository another name"
    )]
    LooksLikeImageId(String),
    /// A tag has a character that is not allowed, or not allowed first.
    #[error(
        "tag {text:?} contains {character:?} at position {position}: a tag is letters, digits, '_', '.' and '-', and starts with a letter, digit or '_'"
    )]
    BadTag {
        /// The tag.
        text: String,
        /// The first wrong character.
        character: char,
        /// Its place, counted in characters from 1.
        position: usize,
    },
}

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A registry.
    Registry,
    /// A repository.
    Repository,
    /// A tag.
    Tag,
}

/// A registry: host and optional port, lower case. All names of Docker Hub are `docker.io`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Registry(Arc<str>);

/// A repository: the path below a registry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(Arc<str>);

/// A tag.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Arc<str>);

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

// === impl Repository ===

impl Repository {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Everything before the last slash, or nothing.
    pub fn namespace(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_length(Kind::Repository, text, REPOSITORY_LENGTH)?;
        if let Some(character) = text.chars().find(char::is_ascii_uppercase) {
            return Err(NameError::UpperCase {
                text: text.to_owned(),
                character,
            });
        }
        if let Some(component) = text.split('/').find(|component| !is_component(component)) {
            return Err(NameError::BadComponent {
                text: text.to_owned(),
                component: component.to_owned(),
            });
        }
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NameError::LooksLikeImageId(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` of the distribution specification.
fn is_component(component: &str) -> bool {
    let is_word = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let separators = component
        .split(is_word)
        .filter(|separator| !separator.is_empty());
    component.starts_with(is_word)
        && component.ends_with(is_word)
        && separators.into_iter().all(|separator| {
            matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        })
}

// === impl Tag ===

impl Tag {
    /// The tag that a reference without one means.
    pub fn latest() -> Self {
        Self("latest".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the tag belongs to the referrers of a digest: `sha256-<hex>` of the distribution
    /// specification, or with a suffix such as `.sig` as cosign writes it.
    pub fn is_referrers_tag(&self) -> bool {
        [("sha256-", 64), ("sha512-", 64)]
            .into_iter()
            .any(|(prefix, digits)| {
                self.0.strip_prefix(prefix).is_some_and(|rest| {
                    rest.bytes().take_while(u8::is_ascii_hexdigit).count() >= digits
                })
            })
    }
}

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = text.chars().enumerate().find(|&(place, character)| {
            let allowed = character.is_ascii_alphanumeric() || character == '_';
            !(allowed || place > 0 && matches!(character, '.' | '-'))
        });
        if let Some((place, character)) = wrong {
            return Err(NameError::BadTag {
                text: text.to_owned(),
                character,
                position: place + 1,
            });
        }
        check_length(Kind::Tag, text, TAG_LENGTH)?;
        Ok(Self(text.into()))
    }
}

// === shared ===

pub(super) fn refuse_scheme(kind: Kind, text: &str) -> Result<(), NameError> {
    match text.find("://") {
        Some(end) => Err(NameError::HasScheme {
            kind,
            text: text.to_owned(),
            scheme: text.chars().take(end + 3).collect(),
        }),
        None => Ok(()),
    }
}

fn check_length(kind: Kind, text: &str, most: usize) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty(kind)),
        found if found > most => Err(NameError::TooLong {
            kind,
            text: text.to_owned(),
            found,
            most,
        }),
        _ => Ok(()),
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Registry => "registry",
            Self::Repository => "repository",
            Self::Tag => "tag",
        })
    }
}

macro_rules! text_traits {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self.as_str())
            }
        }
    )*};
}

text_traits!(Registry, Repository, Tag);

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

    #[test]
    fn repositories_by_the_grammar_of_the_specification() {
        for good in ["a", "library/alpine", "a.b/c_d/e__f/g---h", "0/1", "a1.2"] {
            assert!(good.parse::<Repository>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "A",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a___b",
            "a._b",
            "-a",
            "a-",
            "a b",
            "a:b",
            "é",
            "..",
            &"a".repeat(64),
            &"b/".repeat(130),
        ] {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_by_the_grammar_of_the_specification() {
        for good in ["a", "_", "1.2.3-rc.1", "V", &"a".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".a",
            "-a",
            "a/b",
            "a:b",
            "a b",
            "ü",
            "../x",
            &"a".repeat(129),
        ] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_of_referrers_are_recognised() {
        let hex = "0".repeat(64);
        for (tag, expected) in [
            (format!("sha256-{hex}"), true),
            (format!("sha256-{hex}.sig"), true),
            (format!("sha256-{}", &hex[1..]), false),
            ("1.0".to_owned(), false),
        ] {
            assert_eq!(
                tag.parse::<Tag>().unwrap().is_referrers_tag(),
                expected,
                "{tag}"
            );
        }
    }
}
