// SPDX-License-Identifier: Apache-2.0

//! The steps of a round. Each is a function of what it works with and of the round so far.

pub(super) mod apply;
pub(super) mod contention;
mod created;
pub(super) mod decide;
pub(super) mod doomed;
mod excludes;
pub(super) mod gate;
mod groups;
pub(super) mod integrity;
pub(super) mod late;
pub(super) mod list;
mod lists;
pub(super) mod own;
pub(super) mod resolve;
pub(super) mod select;
