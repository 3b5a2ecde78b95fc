// SPDX-License-Identifier: Apache-2.0

//! The blobs that are on their way to one destination, for all who wait for some of them.

use std::collections::HashMap;

use futures::future::{BoxFuture, Shared, join_all};
use futures::{FutureExt, Stream, stream};

use super::blobs::Request;
use super::deliver::Delivery;
use super::pipe::BlobError;
use super::telling;
use crate::oci::{Descriptor, Digest, Manifest};

/// The blobs that one destination waits for.
pub(super) type Requests = Vec<(Descriptor, Request)>;

/// Blobs that were asked for. Dropped, what has not come is no longer needed.
#[derive(Default)]
pub(super) struct Arrivals(HashMap<Digest, Vec<(u64, Arrival)>>);

/// How a blob came, as soon as it did.
type Arrival = Shared<BoxFuture<'static, Result<Delivery, BlobError>>>;

/// A blob that did not come.
pub(super) type Lost = (Digest, BlobError);

// === impl Arrivals ===

impl Arrivals {
    pub(super) fn of(requests: Requests) -> Self {
        let mut arrivals: HashMap<Digest, Vec<_>> = HashMap::new();
        for (blob, request) in requests {
            let arrival = request.wait().boxed().shared();
            let known = arrivals.entry(blob.digest).or_default();
            known.push((blob.size, arrival));
        }
        Self(arrivals)
    }

    /// Each as it comes, with its size.
    pub(super) fn each(&self) -> impl Stream<Item = Result<(u64, Delivery), Lost>> {
        let all = self.0.iter();
        let all = all.flat_map(|(digest, arrivals)| arrivals.iter().map(move |one| (digest, one)));
        let all = all.map(|(digest, (size, arrival))| async move {
            let delivery = arrival.clone().await;
            let delivery = delivery.map(|delivery| (*size, delivery));
            delivery.map_err(|error| (digest.clone(), error))
        });
        all.collect::<stream::FuturesUnordered<_>>()
    }

    /// Waits for all that a manifest names.
    pub(super) async fn of_manifest(&self, manifest: &Manifest) -> Result<(), Lost> {
        let blobs = manifest.blobs().into_iter();
        // What an index lists may be no manifest.
        let named = blobs.chain(manifest.entries());
        let named = named.filter_map(|blob| self.0.get_key_value(&blob.digest));
        let arrivals = named.flat_map(|(digest, arrivals)| {
            let arrivals = arrivals.iter();
            arrivals.map(move |(_, arrival)| async move {
                let delivery = arrival.clone().await;
                delivery.map_err(|error| (digest.clone(), error))
            })
        });
        let came = join_all(arrivals).await;
        telling::of(came).map(drop)
    }
}

impl telling::Telling for Lost {
    fn rank(&self) -> telling::Rank {
        self.1.rank()
    }
}
