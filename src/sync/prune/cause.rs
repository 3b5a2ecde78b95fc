// SPDX-License-Identifier: Apache-2.0

//! A list that does not name a tag proves nothing: it may have been cut short. The tag itself is looked up.

use super::run::PruneRun;
use crate::oci::TagOrDigest;
use crate::plan::prune::{Candidate, Cause, Stop};
use crate::sync::Connect;

impl<C: Connect> PruneRun<'_, C> {
    /// Looks up at the source what is about to be deleted because the source does not list it any more. A
    /// source that has it all the same is not believed in anything else either.
    pub(super) async fn confirm_cause(&self, candidate: &Candidate) -> Result<(), Stop> {
        let Candidate {
            source, unwanted, ..
        } = candidate;
        match unwanted.cause {
            Cause::SourceGone => {}
            // These rest on the spec and on tags that were looked up.
            Cause::RepositoryRemoved | Cause::NotNamed | Cause::NotSelected | Cause::Renamed => {
                return Ok(());
            }
        }
        let endpoint = self.connection.source(Some(&source.repository)).await;
        let endpoint =
            endpoint.map_err(|error| Stop::unconfirmed(source, error.reason, &error.message))?;
        let tag = TagOrDigest::Tag(source.tag.clone());
        match endpoint.resolve(&source.repository, &tag, None).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(Stop::by_list(source)),
            Err(error) => {
                let reason = error.reason();
                Err(Stop::unconfirmed(source, reason, &error.to_string()))
            }
        }
    }
}
