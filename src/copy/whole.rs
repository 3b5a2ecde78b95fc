// SPDX-License-Identifier: Apache-2.0

//! Whether a repository has all that an image is made of.

use futures::{StreamExt, stream};

use super::graph::Graph;
use super::graph_error::GraphError;
use super::manifests::{Manifests, Room};
use super::{Engine, Error, Origin};
use crate::api::{IndexMode, Reason};
use crate::oci::Digest;
use crate::plan::Platforms;
use crate::runtime::memory;

/// Blobs that are looked at together.
const LOOKS: usize = 8;

impl Engine {
    /// Whether a repository that was written to serves an image, with every manifest that it was copied with, and the
    /// end of each blob. What was believed of a repository where something is missing is forgotten.
    pub async fn is_whole(
        &self,
        at: &Origin,
        digest: &Digest,
        platforms: &Platforms,
    ) -> Result<bool, Error> {
        let (found, _) = memory::with_room(|| is_whole(at, digest, platforms)).await;
        let is_whole = match found {
            Ok(is_whole) => is_whole,
            Err(GraphError::Read(error)) if is_damage(error.reason()) => false,
            Err(error) => return Err(Error::source(at, digest, error)),
        };
        if !is_whole {
            let (endpoint, repository) = (&at.endpoint, &at.repository);
            self.shared.blobs.forget(endpoint, repository, |_| true);
            let place = endpoint.place();
            let manifests = &self.shared.manifests;
            manifests.forget(&place, repository, |_| true);
        }
        Ok(is_whole)
    }
}

async fn is_whole(at: &Origin, digest: &Digest, platforms: &Platforms) -> Result<bool, GraphError> {
    // Only an index that is kept as it is at the source lists what was never copied.
    let written = match platforms {
        Platforms::List {
            index: IndexMode::Preserve,
            ..
        } => platforms,
        Platforms::List { .. } | Platforms::All => &Platforms::All,
    };
    // Nothing that was read before counts.
    let manifests = Manifests::default();
    let graph = Graph::read(&manifests, at, digest, written, &Room::new()).await?;
    memory::settle();
    let looks: Vec<_> = graph
        .blobs()
        .into_iter()
        .map(|blob| at.endpoint.proves_blob(&at.repository, blob))
        .collect();
    let mut looks = stream::iter(looks).buffer_unordered(LOOKS);
    while let Some(is_there) = looks.next().await {
        let is_there = match is_there {
            Ok(is_there) => is_there,
            Err(error) if error.breaks_off() => false,
            // What cannot be told is no loss.
            Err(error) => return Err(GraphError::Read(error)),
        };
        if !is_there {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a manifest cannot be read because it is not there, or not as it was written.
fn is_damage(reason: Reason) -> bool {
    matches!(reason, Reason::NotFound | Reason::DigestMismatch)
}
