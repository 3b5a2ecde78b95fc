// SPDX-License-Identifier: Apache-2.0

//! What would be free if everything that is due were gone.

use std::collections::{BTreeMap, HashSet};

use crate::cli::connect::MirrorConnection;
use crate::cli::df::{Weighed, freed, weigh};
use crate::cli::session::Session;
use crate::oci::{Repository, Tag};
use crate::plan::prune::{Fate, PruneReport};
use crate::sync::{Connect as _, Report, RoundInput};

/// The tags that are due, by destination and repository.
type Due<'a> = BTreeMap<&'a str, BTreeMap<&'a Repository, HashSet<&'a Tag>>>;

/// The bytes that only tags lead to that are due, among all tags of their repositories; nothing where
/// they cannot be read. Each destination by itself: what two registries share, each has.
pub(super) async fn measure(session: &Session, report: &Report) -> Option<u64> {
    let mut sum = 0;
    for (input, report) in session.inputs.iter().zip(&report.mirrors) {
        let Some(prune) = &report.prune else {
            continue;
        };
        for (destination, due) in due(prune) {
            let mut weighed = Vec::new();
            for (repository, tags) in due {
                let found = weigh_repository(input, destination, repository).await?;
                weighed.extend(
                    found
                        .into_iter()
                        .map(|found| (tags.contains(&found.tag), found)),
                );
            }
            sum += freed(weighed.iter().map(|(goes, found)| (*goes, found)));
        }
    }
    Some(sum)
}

fn due(prune: &PruneReport) -> Due<'_> {
    let mut due = Due::new();
    for tag in prune.tags.iter().filter(|tag| tag.fate == Fate::Due) {
        due.entry(tag.target.destination.as_str())
            .or_default()
            .entry(&tag.target.repository)
            .or_default()
            .insert(&tag.target.tag);
    }
    due
}

async fn weigh_repository(
    input: &RoundInput<MirrorConnection>,
    destination: &str,
    repository: &Repository,
) -> Option<Vec<Weighed>> {
    let destination = input.mirror.destination(destination)?;
    let endpoint = input.connection.destination(destination, repository);
    let endpoint = endpoint.await.ok()?;
    match weigh(&endpoint, repository).await {
        Ok(weighed) => Some(weighed),
        Err(error) => {
            tracing::warn!(%error, "what is due cannot be measured");
            None
        }
    }
}
