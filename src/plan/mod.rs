// SPDX-License-Identifier: Apache-2.0

//! Pure decisions: what a mirror means, which tags it wants, under which names they go where, and
//! whether that can be done. No I/O, no clock: whatever is observed comes as a parameter.

pub mod attempts;
pub mod conflicts;
pub mod decide;
pub mod due;
mod entry;
pub mod execution;
pub mod explain;
mod failure;
pub mod fields;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod gates;
pub mod health;
pub mod in_use;
pub mod integrity;
pub mod mentioned_images;
pub mod message;
pub mod mirror;
pub mod mirror_home;
pub mod named_mirror;
pub mod naming;
pub mod news;
pub mod notification;
pub mod notification_status;
pub mod outbox;
pub mod pod_images;
pub mod policy;
pub mod policy_status;
pub mod prune;
pub mod recheck;
pub mod report;
mod rules;
pub mod select;
pub mod selector;
pub mod shares;
pub mod status;
pub mod template;
pub mod validate;
pub mod why;

pub use conflicts::{Claim, Claimant, Conflict, SourceImage, find_conflicts};
pub use execution::{CopiedBy, JobExecution};
pub use fields::InvalidField;
pub use mirror::{
    AbsentTag, Access, CloudIdentity, Destination, ImageEntry, ImmutableTags, Mirror, Platforms,
    Pruning, ReferrerTypes, Referrers, RepositorySelector, Source, TagSelector,
};
pub use naming::Naming;
pub use policy::Policy;
pub use select::{NotSelected, Selected, Wanted};
pub use selector::Selector;
pub use shares::{RepositoryShare, Shares};
pub use template::{PreviousTagTemplate, RepositoryTemplate, TagTemplate};
pub use validate::validate;
