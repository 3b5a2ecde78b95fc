//! Repositories: the path below a registry.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Kind, NameError, check_length};

/// Longest repository name.
const REPOSITORY_LENGTH: usize = 255;

/// A repository: the path below a registry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(Arc<str>);

text_traits!(Repository);

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
