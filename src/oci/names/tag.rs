//! Tags.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Kind, NameError, check_length};
use crate::oci::Digest;

/// Longest tag.
const TAG_LENGTH: usize = 128;
/// Digits of a digest that stand in the tag of its referrers; longer ones are cut.
const SUBJECT_DIGITS: usize = 64;

/// A tag.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Arc<str>);

text_traits!(Tag);

// === impl Tag ===

impl Tag {
    /// What cosign's tags for signatures, attestations and SBOMs end with, see [`Tag::of_referrers`].
    pub const COSIGN_SUFFIXES: [&str; 3] = [".sig", ".att", ".sbom"];

    /// The tag that a reference without one means.
    pub fn latest() -> Self {
        Self("latest".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag of the referrers of a digest (distribution specification, referrers tag schema), or with
    /// a suffix such as `.sig` the one that cosign writes. None for a digest that is too short for it.
    pub fn of_referrers(subject: &Digest, suffix: &str) -> Option<Self> {
        let digits = subject.encoded().get(..SUBJECT_DIGITS)?;
        format!("{}-{digits}{suffix}", subject.algorithm())
            .parse()
            .ok()
    }

    /// Whether the tag belongs to the referrers of a digest: `sha256-<hex>` of the distribution
    /// specification, or with a suffix such as `.sig` as cosign writes it.
    pub fn is_referrers_tag(&self) -> bool {
        ["sha256-", "sha512-"].into_iter().any(|prefix| {
            self.0.strip_prefix(prefix).is_some_and(|rest| {
                rest.bytes().take_while(u8::is_ascii_hexdigit).count() >= SUBJECT_DIGITS
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Algorithm;

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
    fn tags_of_referrers_by_the_specification() {
        let subject = Digest::sha256(b"");
        let tag = Tag::of_referrers(&subject, ".sig").unwrap();
        assert_eq!(tag.as_str(), format!("sha256-{}.sig", subject.encoded()));
        let long = Algorithm::Sha512.digest(b"");
        let tag = Tag::of_referrers(&long, "").unwrap();
        assert_eq!(tag.as_str(), format!("sha512-{}", &long.encoded()[..64]));
        assert!(tag.is_referrers_tag());
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
