// SPDX-License-Identifier: Apache-2.0

//! What is pushed, and what pushing draws on.

use std::collections::HashSet;
use std::sync::Arc;

use super::Target;
use super::arrivals::{Lost, Requests};
use super::blobs::Blobs;
use super::endpoint::Endpoint;
use super::error::Error;
use super::fallback::FallbackTags;
use super::graph::Graph;
use super::lag::Lag;
use super::manifests::Manifests;
use super::pipe::Origin;
use super::presence::WORTH_A_LOOK;
use super::referrers::Company;
use super::repair::Parts;
use super::seen::Seen;
use super::slots::Turn;
use super::stored::Stored;
use crate::oci::{Digest, Manifest, Repository};

/// What is to be copied, read from the source once for all destinations.
pub(super) struct Content {
    pub(super) origin: Origin,
    pub(super) image: Graph,
    /// What refers to it.
    pub(super) company: Company,
    /// What was seen of that at the source.
    pub(super) seen: Option<Seen>,
    /// Whether the image itself is where it should be.
    pub(super) is_late: bool,
    /// When it was begun.
    pub(super) turn: Turn,
}

/// The knowledge of the process that pushing draws on.
pub(super) struct Shared {
    pub(super) blobs: Blobs,
    pub(super) manifests: Stored,
    pub(super) fallback_tags: FallbackTags,
}

/// One destination that is being written.
pub(super) struct Push<'a> {
    pub(super) shared: &'a Shared,
    pub(super) manifests: &'a Manifests,
    pub(super) content: &'a Content,
    pub(super) target: &'a Target,
    pub(super) lag: Lag,
}

// === impl Shared ===

impl Shared {
    /// Asks for what an image is made of in all destinations at once, so that each blob is read once; one list
    /// a destination.
    pub(super) fn request_image(
        &self,
        from: (&Origin, Turn),
        image: &Graph,
        targets: &[&Target],
    ) -> Vec<Requests> {
        let bytes: u64 = image.blobs().iter().map(|blob| blob.size).sum();
        if let Some(base) = image.base_layer().filter(|_| bytes >= WORTH_A_LOOK) {
            for target in targets {
                self.blobs.look(&target.endpoint, &target.repository, base);
            }
        }
        self.request(from, [image], targets, &Parts::All)
    }

    /// The same of parts of anything.
    pub(super) fn request<'a>(
        &self,
        from: (&Origin, Turn),
        graphs: impl IntoIterator<Item = &'a Graph>,
        targets: &[&Target],
        parts: &Parts,
    ) -> Vec<Requests> {
        let places: Vec<(Endpoint, Repository)> = targets
            .iter()
            .map(|target| (target.endpoint.clone(), target.repository.clone()))
            .collect();
        let mut lists: Vec<Requests> = targets.iter().map(|_| Vec::new()).collect();
        let blobs = graphs.into_iter().flat_map(Graph::blobs);
        for blob in blobs.filter(|blob| parts.contain(&blob.digest)) {
            let is_afresh = parts.is_afresh();
            let requests = self.blobs.request(from, blob, &places, is_afresh);
            for (list, request) in lists.iter_mut().zip(requests) {
                list.extend(request.map(|request| (blob.clone(), request)));
            }
        }
        lists
    }
}

// === impl Content ===

impl Content {
    /// What gets other tags in its own repository.
    pub(super) fn retagged(origin: Origin, root: Arc<Manifest>, turn: Turn) -> Self {
        Self {
            origin,
            image: Graph::alone(root),
            company: Company::default(),
            seen: None,
            is_late: false,
            turn,
        }
    }

    /// The digests of all blobs and manifests.
    pub(super) fn digests(&self) -> HashSet<&Digest> {
        let blobs = self
            .graphs()
            .flat_map(Graph::blobs)
            .map(|blob| &blob.digest);
        let manifests = self.graphs().flat_map(Graph::manifests);
        blobs
            .chain(manifests.map(|manifest| manifest.digest()))
            .collect()
    }

    /// What is sent: all that comes to refer to the image, and the image, where it is not there already.
    pub(super) fn graphs(&self) -> impl Iterator<Item = &Graph> {
        let attached = self.company.attached.iter();
        let attached = attached.map(|attached| &attached.graph);
        attached.chain((!self.is_late).then_some(&self.image))
    }
}

// === impl Push ===

impl Push<'_> {
    /// A blob that did not come.
    pub(super) fn lost(&self, (digest, error): Lost) -> Error {
        Error::Blob {
            destination: self.target.name(),
            digest,
            error,
        }
    }
}
