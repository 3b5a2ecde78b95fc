// SPDX-License-Identifier: Apache-2.0

//! Tags as a person names them to `transship restore`.

use std::fmt;
use std::str::FromStr;

use crate::oci::Tag;
use crate::oci::names::NameError;
use crate::sync::ledger::{Slot, Tombstone};

/// A pruned tag as a person names it: `1.0`, `mirror/app:1.0` or `registry.example.com/mirror/app:1.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTag {
    repository: Option<String>,
    tag: Tag,
}

// === impl NamedTag ===

impl NamedTag {
    /// Whether this deleted tag is meant.
    pub(super) fn means(&self, slot: &Slot, tombstone: &Tombstone) -> bool {
        let repository = &slot.page.repository;
        let is_there = self.repository.as_ref().is_none_or(|wanted| {
            wanted == repository.as_str()
                || *wanted == format!("{}/{repository}", tombstone.registry)
        });
        is_there && self.tag == slot.tag
    }
}

impl FromStr for NamedTag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (repository, tag) = match text.rsplit_once(':') {
            Some((repository, tag)) => (Some(repository.to_owned()), tag),
            None => (None, text),
        };
        Ok(Self {
            repository,
            tag: tag.parse()?,
        })
    }
}

impl fmt::Display for NamedTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repository {
            Some(repository) => write!(formatter, "{repository}:{}", self.tag),
            None => write!(formatter, "{}", self.tag),
        }
    }
}
