// SPDX-License-Identifier: Apache-2.0

//! The API of a registry whose calls are signed with the keys of an identity: whoever has the keys speaks it.

use futures::future::BoxFuture;

use super::creation::Creation;
use crate::oci::{Repository, Tag};
use crate::registry::auth::IssueError;

/// What a registry does for whoever signs (Amazon ECR). Each call is one request, repeated by nobody but the caller.
pub trait SignedApi: Send + Sync {
    /// Gets the keys, where they are not at hand: nothing is waited for afterwards but the call itself.
    fn ready(&self) -> BoxFuture<'_, Result<(), IssueError>>;

    /// Deletes a tag, never by digest. The manifest goes along with its last tag.
    fn delete_tag<'a>(
        &'a self,
        repository: &'a Repository,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Removed, IssueError>>;

    /// Makes a repository. One that is there is as good as made.
    fn create<'a>(
        &'a self,
        repository: &'a Repository,
        creation: &'a Creation,
    ) -> BoxFuture<'a, Result<(), IssueError>>;

    /// A page of the repositories: the first, or the one with this token.
    fn list<'a>(
        &'a self,
        next: Option<&'a str>,
    ) -> BoxFuture<'a, Result<RepositoryPage, IssueError>>;
}

/// What became of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone by this call.
    Now,
    /// There was none.
    Before,
    /// It is there: an index lists its manifest, which would have gone with it.
    Needed,
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryPage {
    /// The names of repositories.
    pub names: Vec<String>,
    /// What the next page is asked for with; nothing behind the last one.
    pub next: Option<String>,
}
