// SPDX-License-Identifier: Apache-2.0

//! Whether the destinations of mirrors have what the mirrors want, all of it and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::image::{Fault, Named, Root, verify};
use super::report::VerifyReport;
use crate::api::Reason;
use crate::cli::address::image_name;
use crate::cli::connect::MirrorConnection;
use crate::cli::error::Error;
use crate::cli::image::Source;
use crate::cli::session::Session;
use crate::cli::summary;
use crate::oci::{Repository, Tag};
use crate::plan::Destination;
use crate::plan::report::{MirrorReport, Outcome, TagReport};
use crate::sync::{Connect as _, Mode, RoundInput};

/// What is wanted in a repository of a destination.
struct Place<'a> {
    connection: &'a MirrorConnection,
    destination: &'a Destination,
    repository: Repository,
    /// The tags that should be there, and that are there by what was seen.
    present: BTreeSet<Tag>,
    /// Whatever a mirror may have written.
    wanted: BTreeSet<Tag>,
}

/// Looks at the destinations of the mirrors. Nothing where a signal ended it.
pub(super) async fn verify_mirrors(
    session: &Session,
    deep: bool,
) -> Result<Option<VerifyReport>, Error> {
    let Some(planned) = session.round(Mode::Plan).await else {
        return Ok(None);
    };
    let mut report = VerifyReport::default();
    let mut places = BTreeMap::new();
    for (input, told) in session.inputs.iter().zip(&planned.mirrors) {
        report.failures.extend(summary::failures_of(told).cloned());
        let faults: Vec<Fault> = told.tags.iter().filter_map(missing).collect();
        report.wanted += faults.len() + failed(told);
        report
            .failures
            .extend(faults.into_iter().map(Fault::into_failure));
        gather(input, told, &mut places);
    }
    for place in places.into_values() {
        place.look(deep, &mut report).await?;
    }
    Ok(Some(report))
}

/// How many tags there should be of which it could not be seen whether they are there.
fn failed(told: &MirrorReport) -> usize {
    let of_source = told.failures.iter().filter(|failure| failure.is_of_tag);
    let of_tags = told
        .tags
        .iter()
        .filter(|tag| matches!(tag.outcome, Outcome::Failed(_)));
    of_source.count() + of_tags.count()
}

/// What is not at the destination as it should be.
fn missing(tag: &TagReport) -> Option<Fault> {
    let Outcome::Planned {
        moves: _,
        completes,
        destination_digest,
        moved: _,
    } = &tag.outcome
    else {
        return None;
    };
    let source = &tag.source_digest;
    let (reason, message) = match destination_digest {
        _ if *completes => (
            Reason::NotFound,
            "what refers to the image at the source by now is missing".to_owned(),
        ),
        Some(there) => (
            Reason::DigestMismatch,
            format!("names {there}, and {source} at the source"),
        ),
        None => (Reason::NotFound, "the tag is missing".to_owned()),
    };
    Some(Fault {
        subject: tag.target.clone(),
        reason,
        message,
    })
}

/// Adds what a mirror wants where.
fn gather<'a>(
    input: &'a RoundInput<MirrorConnection>,
    told: &MirrorReport,
    places: &mut BTreeMap<String, Place<'a>>,
) {
    let RoundInput { mirror, connection } = input;
    for tag in &told.tags {
        let named = |destination: &&Destination| destination.name == tag.destination;
        let Some(destination) = mirror.destinations.iter().find(named) else {
            continue;
        };
        let Some((repository, wanted)) = split(destination, &tag.target) else {
            continue;
        };
        let name = format!("{}/{repository}", destination.registry);
        let place = places.entry(name).or_insert_with(|| Place {
            connection,
            destination,
            repository,
            present: BTreeSet::new(),
            wanted: BTreeSet::new(),
        });
        let previous = destination.previous_tag.as_ref();
        let previous = previous.and_then(|template| template.expand(&wanted).ok());
        place.wanted.extend(previous);
        let is_there = match &tag.outcome {
            Outcome::Unchanged
            | Outcome::Frozen
            | Outcome::Copied { .. }
            | Outcome::Retagged { .. }
            | Outcome::Completed { .. } => true,
            Outcome::Planned { .. }
            | Outcome::Refused(_)
            | Outcome::Quarantined(_)
            | Outcome::Failed(_) => false,
        };
        if is_there {
            place.present.insert(wanted.clone());
        }
        place.wanted.insert(wanted);
    }
}

/// The repository and tag of what a report names at a destination.
fn split(destination: &Destination, target: &str) -> Option<(Repository, Tag)> {
    let path = target.strip_prefix(&format!("{}/", destination.registry))?;
    let (repository, tag) = path.rsplit_once(':')?;
    Some((repository.parse().ok()?, tag.parse().ok()?))
}

// === impl Place ===

impl Place<'_> {
    async fn look(self, deep: bool, report: &mut VerifyReport) -> Result<(), Error> {
        let Self {
            connection,
            destination,
            repository,
            present,
            wanted,
        } = self;
        report.wanted += present.len();
        let endpoint = connection.destination(destination, &repository).await?;
        let name = format!("{}/{repository}", endpoint.name());
        let source = Source {
            endpoint,
            repository,
            name,
        };
        let mut images = Vec::new();
        for tag in present {
            let target = tag.into();
            let reference = image_name(&source.name, &target);
            match source.resolve(&target).await {
                Ok(digest) => images.push(Named {
                    reference,
                    root: Root::Named(digest),
                }),
                Err(error) => report.failures.push(error.as_failure(&reference)),
            }
        }
        let (verified, faults) = verify(&source, images, deep).await;
        report.images.extend(verified);
        report
            .failures
            .extend(faults.into_iter().map(Fault::into_failure));
        match source.endpoint.list_tags(&source.repository).await {
            Ok(tags) => {
                let extra = tags.into_iter().filter(|tag| !wanted.contains(tag));
                let extra = extra.filter(|tag| tag.attachment().is_none());
                let named = extra.map(|tag| image_name(&source.name, &tag.into()));
                report.extra.extend(named);
            }
            // Where there is nothing, there is nothing else.
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                let fault = Fault::of(&source.name, &error);
                report.failures.push(fault.into_failure());
            }
        }
        Ok(())
    }
}
