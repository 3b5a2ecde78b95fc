// SPDX-License-Identifier: Apache-2.0

//! What a policy can ask of an image.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::api::Reason;

/// One thing that an image must prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub enum Gate {
    /// `minAge`
    MinAge,
    /// `verify`
    Verify,
    /// `require.user`
    User,
    /// `require.maxSize`
    MaxSize,
    /// `require.maxAge`
    MaxAge,
    /// `require.platforms`
    Platforms,
    /// `require.labels`
    Labels,
    /// `require.denyTags`
    DenyTags,
    /// `require.vulnerabilities`
    Vulnerabilities,
}

// === impl Gate ===

impl Gate {
    /// The field of the policy, below `spec`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MinAge => "minAge",
            Self::Verify => "verify",
            Self::User => "require.user",
            Self::MaxSize => "require.maxSize",
            Self::MaxAge => "require.maxAge",
            Self::Platforms => "require.platforms",
            Self::Labels => "require.labels",
            Self::DenyTags => "require.denyTags",
            Self::Vulnerabilities => "require.vulnerabilities",
        }
    }

    /// The category of what it refuses.
    pub const fn reason(self) -> Reason {
        match self {
            Self::MinAge => Reason::Quarantined,
            Self::Verify => Reason::VerificationFailed,
            Self::User
            | Self::MaxSize
            | Self::MaxAge
            | Self::Platforms
            | Self::Labels
            | Self::DenyTags
            | Self::Vulnerabilities => Reason::PolicyViolation,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for Gate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
