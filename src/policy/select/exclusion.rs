// SPDX-License-Identifier: Apache-2.0

//! Why a tag is not taken.

use std::fmt;

use super::newest::Newest;
use crate::policy::{Pattern, Range};

/// Why a tag is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// No `include` pattern matches.
    NotIncluded,
    /// An `exclude` pattern matches.
    ExcludedBy {
        /// The pattern.
        pattern: Pattern,
    },
    /// Nothing can be extracted.
    NotExtracted {
        /// The pattern of `extract`.
        pattern: Pattern,
    },
    /// A rule needs a version and the tag is none.
    NotAVersion,
    /// The version lies outside of the range.
    OutOfRange {
        /// The range.
        range: Range,
    },
    /// The version is a prerelease.
    Prerelease,
    /// The newest are found by number and the tag is none.
    NotANumber,
    /// The newest are found by the time of the build, and the image does not tell it.
    NotDated,
    /// There are enough newer tags.
    NotNewest {
        /// The rule.
        newest: Newest,
        /// The variant within which it was counted.
        variant: Option<String>,
    },
}

/// The rules by which tags are left out, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// `include`
    Include,
    /// `exclude`
    Exclude,
    /// `extract`
    Extract,
    /// `semver`, or a version that another rule needs.
    Semver,
    /// `newest`
    Newest,
}

// === impl Rule ===

impl Rule {
    /// The field that a person wrote.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Include => "include",
            Self::Exclude => "exclude",
            Self::Extract => "extract",
            Self::Semver => "semver",
            Self::Newest => "newest",
        }
    }
}

// === impl Exclusion ===

impl Exclusion {
    /// The rule that left the tag out.
    pub const fn rule(&self) -> Rule {
        match self {
            Self::NotIncluded => Rule::Include,
            Self::ExcludedBy { .. } => Rule::Exclude,
            Self::NotExtracted { .. } => Rule::Extract,
            Self::NotAVersion | Self::OutOfRange { .. } | Self::Prerelease => Rule::Semver,
            Self::NotANumber | Self::NotDated | Self::NotNewest { .. } => Rule::Newest,
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotIncluded => formatter.write_str("matches no include pattern"),
            Self::ExcludedBy { pattern } => write!(formatter, "excluded by {pattern}"),
            Self::NotExtracted { pattern } => write!(formatter, "nothing to extract by {pattern}"),
            Self::NotAVersion => formatter.write_str("is not a version"),
            Self::OutOfRange { range } => write!(formatter, "outside of {range}"),
            Self::Prerelease => formatter.write_str("is a prerelease"),
            Self::NotANumber => formatter.write_str("is not a number"),
            Self::NotDated => formatter.write_str("does not say when it was built"),
            Self::NotNewest { newest, variant } => {
                write!(formatter, "{newest}")?;
                match variant {
                    Some(variant) => write!(formatter, " of variant {variant}"),
                    None => Ok(()),
                }
            }
        }
    }
}
