// SPDX-License-Identifier: Apache-2.0

//! Whose rules select a tag.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::api::ObjectName;

/// Whose rules select a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub enum Selector {
    /// Those of the entry itself.
    Entry,
    /// Those of a policy.
    Policy(ObjectName),
}

impl FromStr for Selector {
    type Err = <ObjectName as FromStr>::Err;

    /// Reads the name of a policy.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::Policy)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry => formatter.write_str("select"),
            Self::Policy(name) => name.fmt(formatter),
        }
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
