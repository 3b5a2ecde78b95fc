// SPDX-License-Identifier: Apache-2.0

//! Who works on which mirrors, where several processes share the work.

use std::collections::BTreeMap;

use super::bounded::Bounded;
use super::text::Text;
use crate::plan::named_mirror::NamedMirror;

/// Who works on what, where several processes share the work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedWork {
    /// The member whose page this is.
    pub own: String,
    /// All members.
    pub members: Vec<WorkingMember>,
    /// The shards that none of them has.
    pub unheld: Vec<String>,
    /// Who works on each mirror, by its namespace and name.
    pub workers: BTreeMap<String, String>,
}

/// One of the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkingMember {
    /// Its name.
    pub name: String,
    /// The shards that it has.
    pub shards: Vec<String>,
    /// How many of the mirrors that are shown are in these.
    pub mirrors: usize,
}

/// The members as they are shown.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) own: Text,
    pub(super) rows: Bounded<MemberLine>,
    pub(super) unheld: Text,
}

#[derive(Debug)]
pub(super) struct MemberLine {
    pub(super) name: Text,
    pub(super) is_own: bool,
    pub(super) shards: Text,
    pub(super) mirrors: usize,
}

// === impl SharedWork ===

impl SharedWork {
    /// Who works on a mirror.
    pub(super) fn worker(&self, mirror: &NamedMirror) -> Option<&str> {
        self.workers.get(&mirror.to_string()).map(String::as_str)
    }
}

// === impl Members ===

impl Members {
    pub(super) fn of(sharing: &SharedWork) -> Self {
        let SharedWork {
            own,
            members,
            unheld,
            workers: _,
        } = sharing;
        Self {
            own: Text::of(own),
            rows: Bounded::of(members.iter().collect(), |member| MemberLine {
                name: Text::of(&member.name),
                is_own: member.name == *own,
                shards: Text::of(&member.shards.join(", ")),
                mirrors: member.mirrors,
            }),
            unheld: Text::of(&unheld.join(", ")),
        }
    }
}
