//! Which parts of an image a mirror wants: the same digest may stand for more or for less.

use std::fmt;

use crate::api::{AbsentPlatform, IndexMode, ReferrersMode};
use crate::plan::{Mirror, Platforms};

/// The parts of an image that are copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) platforms: Platforms,
    pub(super) referrers: ReferrersMode,
}

impl Shape {
    /// What a mirror wants.
    pub(super) fn of(mirror: &Mirror) -> Self {
        Self {
            platforms: mirror.platforms.clone(),
            referrers: mirror.referrers,
        }
    }
}

/// The text by which the state file tells shapes apart.
impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.platforms {
            Platforms::All => formatter.write_str("all platforms")?,
            Platforms::List {
                platforms,
                absent,
                index,
            } => {
                let mut names: Vec<String> = platforms.iter().map(ToString::to_string).collect();
                names.sort_unstable();
                let index = match index {
                    IndexMode::Rewrite => "rewritten",
                    IndexMode::Preserve => "preserved",
                };
                let absent = match absent {
                    AbsentPlatform::Fail => "required",
                    AbsentPlatform::Skip => "where present",
                };
                write!(formatter, "{} {absent}, index {index}", names.join(" "))?;
            }
        }
        formatter.write_str(match self.referrers {
            ReferrersMode::Copy => ", with referrers",
            ReferrersMode::Skip => "",
        })
    }
}
