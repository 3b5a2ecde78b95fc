// SPDX-License-Identifier: Apache-2.0

//! What was seen of what refers to an image, in a form small enough to be kept for every image.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::links::{AttachedTags, Link, Links, TagList};
use crate::oci::{Algorithm, Digest, Tag};

/// Hexadecimal digits of a fingerprint.
const DIGITS: usize = 16;

/// What was seen of what refers to an image: another value where anything has come, gone or moved since.
///
/// As text it is `image:TAGS:LINKS` or `index:TAGS:LINKS`, with `+list` behind the first word where the tag
/// `sha256-<hex>` of the image names a list of its referrers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seen {
    /// Whether the image is an index, or may be one: what it lists has referrers of its own.
    pub is_index: bool,
    /// Whether the tag of the specification names a list of what refers to the image.
    pub has_list: bool,
    /// A fingerprint of the names of the tags that are named after the image.
    pub(super) tags: u64,
    /// A fingerprint of everything that refers to it and to what it is made of.
    pub(super) links: u64,
}

/// A text that is not what was seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} does not say what was seen of referrers")]
pub struct SeenError(String);

/// Everything that was met while referrers were looked for.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// One line for each.
    lines: BTreeSet<String>,
    tags: BTreeSet<Tag>,
    /// The fallback tags that are known to name lists.
    lists: BTreeSet<Tag>,
}

// === impl Trace ===

impl Trace {
    /// Takes note of what refers to some manifests.
    pub(super) fn add(&mut self, links: &[Links]) {
        for links in links {
            let Links {
                subject,
                entries,
                list,
                is_kept: _,
            } = links;
            if let Some(list) = list {
                self.lines
                    .insert(format!("list {subject} {}", list.digest()));
                let bare = Tag::of_referrers(subject, "");
                if matches!(list, TagList::Read(_)) {
                    self.lists.extend(bare.clone());
                }
                self.tags.extend(bare);
            }
            // The digest of a list stands for its members.
            for entry in entries.iter().filter(|entry| !links.is_member(entry)) {
                let digest = &entry.digest;
                let line = match &entry.by {
                    Link::Subject(subject) => format!("subject {subject} {digest}"),
                    Link::Tag(tag) => format!("tag {tag} {digest}"),
                };
                self.lines.insert(line);
                if let Link::Tag(tag) = &entry.by {
                    self.tags.insert(tag.clone());
                }
            }
        }
    }

    /// What was seen of an image. Its tags are those that the repository lists, where it does.
    pub(super) fn sum_up(
        &self,
        root: &Digest,
        is_index: bool,
        listed: Option<&AttachedTags>,
    ) -> Seen {
        let bare = Tag::of_referrers(root, "");
        let tags = match listed {
            Some(listed) => tags_of(listed, root),
            None => fingerprint(
                self.tags
                    .iter()
                    .filter(|tag| tag.attachment().is_some_and(|tag| tag.is_of(root)))
                    .map(Tag::as_str),
            ),
        };
        Seen {
            is_index,
            has_list: bare.is_some_and(|bare| self.lists.contains(&bare)),
            tags,
            links: fingerprint(self.lines.iter().map(String::as_str)),
        }
    }
}

/// A fingerprint of the tags that are named after an image.
pub(super) fn tags_of(listed: &AttachedTags, root: &Digest) -> u64 {
    fingerprint(listed.of(root).map(Tag::as_str))
}

/// Of sorted lines. It must be the same in every version of the program.
fn fingerprint<'a>(lines: impl Iterator<Item = &'a str>) -> u64 {
    let mut hasher = Algorithm::Sha256.hasher();
    for line in lines {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    }
    let digest = hasher.finish();
    let digits = digest.encoded().get(..DIGITS);
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.unwrap_or_default()
}

// === impl Seen ===

impl Seen {
    /// Whether the same refers to the image.
    pub fn is_like(&self, other: &Self) -> bool {
        self.links == other.links && self.tags == other.tags
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            is_index,
            has_list,
            tags,
            links,
        } = self;
        let kind = if *is_index { "index" } else { "image" };
        let list = if *has_list { "+list" } else { "" };
        write!(formatter, "{kind}{list}:{tags:016x}:{links:016x}")
    }
}

impl FromStr for Seen {
    type Err = SeenError;

    fn from_str(text: &str) -> Result<Self, SeenError> {
        let wrong = || SeenError(text.to_owned());
        let number = |digits: &str| {
            let number = u64::from_str_radix(digits, 16);
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            number.ok().filter(|_| is_hex && digits.len() == DIGITS)
        };
        let (kind, numbers) = text.split_once(':').ok_or_else(wrong)?;
        let (tags, links) = numbers.split_once(':').ok_or_else(wrong)?;
        let (is_index, has_list) = match kind {
            "image" => (false, false),
            "image+list" => (false, true),
            "index" => (true, false),
            "index+list" => (true, true),
            _ => return Err(wrong()),
        };
        Ok(Self {
            is_index,
            has_list,
            tags: number(tags).ok_or_else(wrong)?,
            links: number(links).ok_or_else(wrong)?,
        })
    }
}

impl TryFrom<String> for Seen {
    type Error = SeenError;

    fn try_from(text: String) -> Result<Self, SeenError> {
        text.parse()
    }
}

impl From<Seen> for String {
    fn from(seen: Seen) -> Self {
        seen.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::links::Entry;

    fn digest(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn links(subject: &str, entries: &[(Link, &str)]) -> Links {
        Links {
            subject: digest(subject),
            entries: entries
                .iter()
                .map(|(by, name)| Entry {
                    by: by.clone(),
                    digest: digest(name),
                    artifact_type: None,
                })
                .collect(),
            list: None,
            is_kept: true,
        }
    }

    fn sum(levels: &[Links]) -> Seen {
        let mut trace = Trace::default();
        trace.add(levels);
        trace.sum_up(&digest("image"), false, None)
    }

    #[test]
    fn anything_that_comes_goes_or_moves_is_seen() {
        let subject = || Link::Subject(digest("image"));
        let tag = || Link::Tag(Tag::of_referrers(&digest("image"), ".sig").unwrap());
        let first = links("image", &[(subject(), "a"), (tag(), "s")]);
        let seen = sum(std::slice::from_ref(&first));
        let reordered = links("image", &[(tag(), "s"), (subject(), "a")]);
        assert_eq!(sum(&[reordered]), seen);
        let others = [
            vec![links("image", &[(subject(), "a")])],
            vec![links("image", &[(subject(), "a"), (tag(), "t")])],
            vec![links("image", &[(subject(), "a"), (subject(), "s")])],
            vec![
                first,
                links("a", &[(Link::Subject(digest("a")), "signature of a")]),
            ],
        ];
        for other in others {
            assert_ne!(sum(&other), seen, "{other:?}");
        }
    }

    #[test]
    fn what_was_seen_is_kept_as_text() {
        for (is_index, has_list) in [(false, false), (false, true), (true, false), (true, true)] {
            let seen = Seen {
                is_index,
                has_list,
                tags: 1,
                links: u64::MAX,
            };
            assert_eq!(seen.to_string().parse(), Ok(seen));
        }
        for wrong in [
            "",
            "image",
            "image:1:2",
            "both:0000000000000001:0000000000000001",
            "image:0000000000000001:000000000000000g",
            "image:+000000000000001:0000000000000001",
        ] {
            assert!(wrong.parse::<Seen>().is_err(), "{wrong}");
        }
    }
}
