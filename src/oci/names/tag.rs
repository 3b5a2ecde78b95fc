// SPDX-License-Identifier: Apache-2.0

//! Tags.

use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{NameError, NameKind, check_length};
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
    /// What cosign's tags for signatures, attestations and SBOMs end with, see [`Tag::of_referrers`]. Others
    /// add their own: Konflux has `.src`, `.git`, `.dockerfile`.
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

    /// The tag that holds an image that is wanted by its digest: `sha256.<hex>`, which no referrers have. Longer digests
    /// are cut.
    pub fn of_digest(digest: &Digest) -> Self {
        let digits = digest.encoded();
        let digits = digits.get(..SUBJECT_DIGITS).unwrap_or(digits);
        Self(format!("{}.{digits}", digest.algorithm()).into())
    }

    /// What the tag is attached to, if it is named after a digest.
    pub fn attachment(&self) -> Option<Attachment<'_>> {
        let digits = self
            .0
            .strip_prefix("sha256-")
            .or_else(|| self.0.strip_prefix("sha512-"))?;
        let (digits, suffix) = digits.split_at_checked(SUBJECT_DIGITS)?;
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_apart = !suffix.starts_with(|next: char| next.is_ascii_alphanumeric());
        if !digits.bytes().all(is_digit) || !is_apart {
            return None;
        }
        let subject = self.0.get(..self.0.len() - suffix.len())?;
        Some(Attachment { subject, suffix })
    }

    /// Whether the tag is named after a digest, with a suffix: it goes with the image of that digest.
    pub fn is_attached(&self) -> bool {
        self.attachment().is_some_and(|tag| !tag.is_bare())
    }

    /// Whether the tag is named after a digest and has no suffix: it names a list of what refers to that
    /// digest, or an image that has no other tag. Only what it names can tell.
    pub fn is_bare(&self) -> bool {
        self.attachment().is_some_and(|tag| tag.is_bare())
    }
}

/// What a tag says that is named after a digest: `sha256-<hex>` (distribution specification, referrers
/// tag schema), or the same with a suffix, such as `.sig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment<'a> {
    /// The tag without its suffix. Longer digests are cut in it.
    pub subject: &'a str,
    /// What follows; nothing in the tag of the specification.
    pub suffix: &'a str,
}

// === impl Attachment ===

impl Attachment<'_> {
    /// Whether the tag is named after this digest.
    pub fn is_of(&self, digest: &Digest) -> bool {
        Tag::of_referrers(digest, "").is_some_and(|tag| tag.as_str() == self.subject)
    }

    /// Whether it has no suffix.
    pub fn is_bare(&self) -> bool {
        self.suffix.is_empty()
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
        check_length(NameKind::Tag, text, TAG_LENGTH)?;
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn a_tag_that_holds_a_digest_is_one_and_no_list_of_referrers() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let tag = Tag::of_digest(&algorithm.digest(b"x"));
            assert_eq!(tag.as_str().parse::<Tag>().as_ref(), Ok(&tag));
            assert_eq!(tag.attachment(), None, "{tag}");
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
    fn tags_of_referrers_by_the_specification() {
        let subject = Digest::sha256(b"");
        let tag = Tag::of_referrers(&subject, ".sig").unwrap();
        assert_eq!(tag.as_str(), format!("sha256-{}.sig", subject.encoded()));
        let long = Algorithm::Sha512.digest(b"");
        let tag = Tag::of_referrers(&long, "").unwrap();
        assert_eq!(tag.as_str(), format!("sha512-{}", &long.encoded()[..64]));
        assert!(tag.attachment().unwrap().is_of(&long));
    }

    #[test]
    fn tags_that_are_named_after_a_digest() {
        let hex = Digest::sha256(b"a").encoded().to_owned();
        let subject = format!("sha256-{hex}");
        let cases = [
            (subject.clone(), Some("")),
            (format!("sha512-{hex}"), Some("")),
            (format!("{subject}.sig"), Some(".sig")),
            (format!("{subject}.src"), Some(".src")),
            (format!("{subject}.dockerfile"), Some(".dockerfile")),
            (format!("{subject}-source"), Some("-source")),
            (format!("{subject}_x.y"), Some("_x.y")),
            (format!("{subject}0"), None),
            (format!("{subject}z"), None),
            (format!("sha256-{}", &hex[1..]), None),
            (format!("sha256-{}", hex.to_uppercase()), None),
            (format!("v-{subject}"), None),
            ("1.0".to_owned(), None),
        ];
        for (text, suffix) in cases {
            let tag: Tag = text.parse().unwrap();
            let attachment = tag.attachment();
            assert_eq!(attachment.map(|found| found.suffix), suffix, "{tag}");
            assert_eq!(tag.is_bare(), suffix == Some(""), "{tag}");
            assert_eq!(
                tag.is_attached(),
                suffix.is_some_and(|suffix| !suffix.is_empty()),
                "{tag}"
            );
        }
        let tag = Tag::of_referrers(&Digest::sha256(b"a"), ".sig").unwrap();
        let attachment = tag.attachment().unwrap();
        assert!(attachment.is_of(&Digest::sha256(b"a")));
        assert!(!attachment.is_of(&Digest::sha256(b"b")));
    }
}
