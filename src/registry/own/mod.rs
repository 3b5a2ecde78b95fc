// SPDX-License-Identifier: Apache-2.0

//! What registries do by an API of their own, because the distribution specification has no way to it, or because they
//! do not follow it there: deleting a tag and nothing else, making a repository, listing repositories.
//!
//! The hosts of these APIs are fixed or the registry's own, and a credential goes where it would go anyway: to the
//! registry's owner. Every request takes the path of all others, within the boundaries of the process.
//!
//! ```text
//! acr github hub signed     one file for each of them
//! create list listings      repositories: before the first push, and where there is no catalog
//! means creation known      which registry does it how, what is made and remembered; without I/O
//! ```

pub(super) mod acr;
pub(super) mod create;
mod creation;
pub(super) mod github;
pub(super) mod hub;
mod known;
pub(super) mod list;
mod listings;
mod means;
mod signed;

pub use self::creation::{Creation, Encryption};
pub(super) use self::known::Known;
pub(super) use self::means::Means;
pub use self::signed::{Removed, RepositoryPage, SignedApi};
