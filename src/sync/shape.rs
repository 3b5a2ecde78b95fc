// SPDX-License-Identifier: Apache-2.0

//! Which parts of an image a mirror wants: the same digest may stand for more or for less.

use std::fmt;

use crate::api::mirrored_repository::SHAPE_LENGTH;
use crate::api::{AbsentPlatform, Attestations, IndexMode};
use crate::oci::Digest;
use crate::plan::{Mirror, Platforms, ReferrerTypes};

/// The parts of an image that are copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) platforms: Platforms,
    pub(super) referrers: ReferrerTypes,
}

impl Shape {
    /// What a mirror wants.
    pub(super) fn of(mirror: &Mirror) -> Self {
        Self {
            platforms: mirror.platforms.clone(),
            referrers: mirror.referrers.types.clone(),
        }
    }
}

/// The text by which records tell shapes apart; a digest stands for a long one.
impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.describe();
        if text.len() > SHAPE_LENGTH {
            return Digest::sha256(text.as_bytes()).fmt(formatter);
        }
        formatter.write_str(&text)
    }
}

impl Shape {
    fn describe(&self) -> String {
        let platforms = match &self.platforms {
            Platforms::All => "all platforms".to_owned(),
            Platforms::List {
                platforms,
                absent,
                index,
                attestations,
            } => {
                let mut names: Vec<String> = platforms.iter().map(ToString::to_string).collect();
                names.sort_unstable();
                let index = match index {
                    IndexMode::Rewrite => "rewritten",
                    IndexMode::Preserve => "preserved",
                    IndexMode::Unwrap => "unwrapped",
                };
                let absent = match absent {
                    AbsentPlatform::Fail => "required",
                    AbsentPlatform::Skip => "where present",
                };
                let names = match names.as_slice() {
                    [] => "all platforms".to_owned(),
                    names => format!("{} {absent}", names.join(" ")),
                };
                let attestations = match attestations {
                    Attestations::Copy => "",
                    Attestations::Skip => ", without attestations",
                };
                format!("{names}, index {index}{attestations}")
            }
        };
        let referrers = match &self.referrers {
            ReferrerTypes::None => String::new(),
            ReferrerTypes::All => ", with referrers".to_owned(),
            ReferrerTypes::Only(types) => format!(", with referrers of {}", types.join(" ")),
        };
        platforms + &referrers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_platforms_is_stood_for_by_a_digest() {
        let shape = |count: usize| Shape {
            platforms: Platforms::List {
                platforms: (0..count)
                    .map(|number| format!("linux/arm/v{number}").parse().unwrap())
                    .collect(),
                absent: AbsentPlatform::Fail,
                index: IndexMode::Rewrite,
                attestations: Attestations::Copy,
            },
            referrers: ReferrerTypes::All,
        };
        assert_eq!(
            shape(1).to_string(),
            "linux/arm/v0 required, index rewritten, with referrers"
        );
        let only = Shape {
            referrers: ReferrerTypes::Only(["a/b".to_owned(), "c/d".to_owned()].into()),
            ..shape(1)
        };
        assert_eq!(
            only.to_string(),
            "linux/arm/v0 required, index rewritten, with referrers of a/b c/d"
        );
        assert!(shape(32).to_string().starts_with("sha256:"));
        assert_ne!(shape(32).to_string(), shape(31).to_string());
    }
}
