// SPDX-License-Identifier: Apache-2.0

//! A tag that may be taken, and what the rules read of it.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::oci::Tag;
use crate::policy::number::Decimal;
use crate::policy::{Extract, Version};

/// A tag that may be taken.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The tag.
    pub tag: Tag,
    /// When it was first seen; None where that was now.
    pub first_seen: Option<Timestamp>,
    /// When its image was built; None where that is not known or was not asked.
    pub created: Option<Timestamp>,
}

/// A candidate with what the rules read of it.
pub(super) struct Reading<'a> {
    pub(super) candidate: &'a Candidate,
    /// The tag, or the part of it that is extracted.
    pub(super) text: Cow<'a, str>,
    pub(super) version: Option<Version>,
}

// === impl Reading ===

impl<'a> Reading<'a> {
    /// Reads a candidate; None where nothing can be extracted. `takes_single` says whether a number alone is
    /// a version.
    pub(super) fn new(
        candidate: &'a Candidate,
        extract: Option<&Extract>,
        takes_single: bool,
    ) -> Option<Self> {
        let text = match extract {
            Some(extract) => Cow::Owned(extract.extract(&candidate.tag)?),
            None => Cow::Borrowed(candidate.tag.as_str()),
        };
        let version = if takes_single {
            Version::parse_number(&text)
        } else {
            Version::parse_text(&text)
        };
        Some(Self {
            candidate,
            text,
            version,
        })
    }

    /// The number that it is.
    pub(super) fn number(&self) -> Option<Decimal> {
        Decimal::parse(&self.text)
    }

    /// Whether a word such as rc says that it is not a release yet.
    pub(super) fn is_named_prerelease(&self) -> bool {
        let version = self.version.as_ref();
        version.is_some_and(Version::is_named_prerelease)
    }
}
