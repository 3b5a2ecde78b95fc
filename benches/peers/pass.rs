// SPDX-License-Identifier: Apache-2.0

//! One run of a tool: cold, then unchanged, with the witness looking after each.

use std::collections::HashMap;

use futures::future::join_all;
use serde::Serialize;
use tempfile::TempDir;

use crate::job::Job;
use crate::measure::{Usage, measure};
use crate::place::{Mode, Place};
use crate::support::access_log::Request;
use crate::support::content::FoundBy;
use crate::support::corpus::Corpus;
use crate::support::witness::{Defect, Problem, Witness};
use crate::tool::Tool;
use crate::traffic::Traffic;

/// Which of the two copies of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pass {
    /// Into empty registries.
    Cold,
    /// Once more, right after.
    Unchanged,
}

/// What one pass of a tool took and did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// Time, processor time, memory.
    #[serde(flatten)]
    pub(crate) usage: Usage,
    /// What the source was asked.
    pub(crate) source: Traffic,
    /// What all destinations were asked.
    pub(crate) destination: Traffic,
    /// What is missing or wrong at the destinations, of that which the tool claims to copy.
    pub(crate) defects: Vec<String>,
    /// Referrers that are missing, also those that the tool does not claim to copy.
    pub(crate) missing_referrers: usize,
}

/// Registries that one tool writes to, and what is expected there.
struct Run<'a> {
    tool: Tool,
    job: Job<'a>,
    source: &'a Place,
    destinations: Vec<Place>,
    witnesses: Vec<Witness>,
}

impl Pass {
    /// Both, in their order.
    pub(crate) const ALL: [Self; 2] = [Self::Cold, Self::Unchanged];

    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Runs a tool twice into fresh registries: what each pass took.
///
/// # Errors
/// What the tool said, if it failed.
pub(crate) async fn run(
    tool: Tool,
    corpus: &Corpus,
    source: &Place,
    mode: Mode,
    destinations: usize,
) -> Result<[Sample; 2], String> {
    let directory = TempDir::new().map_err(|error| error.to_string())?;
    let destinations = join_all((0..destinations).map(|_| Place::start(mode))).await;
    let places = destinations.iter().chain([source]);
    let authorities = places.filter_map(|place| place.registry().ca_pem());
    let mut run = Run {
        tool,
        job: Job {
            corpus,
            source: source.host(),
            destinations: destinations.iter().map(Place::host).collect(),
            authorities: authorities.collect::<Vec<_>>().concat(),
            directory: directory.path().to_owned(),
        },
        witnesses: witnesses(corpus, &destinations),
        source,
        destinations,
    };
    Ok([run.pass().await?, run.pass().await?])
}

/// One for each repository of each destination, in the order of [`Job::routes`].
fn witnesses(corpus: &Corpus, destinations: &[Place]) -> Vec<Witness> {
    let of = |place: &Place| {
        let client = place.registry().client();
        let witness = move |repository: &crate::support::corpus::Repository| {
            let witness = Witness::new(client.clone(), &repository.name);
            let images = repository.tags.iter().map(|(_, image)| image);
            images.fold(witness, Witness::expecting)
        };
        corpus.repositories.iter().map(witness).collect::<Vec<_>>()
    };
    destinations.iter().flat_map(of).collect()
}

impl Run<'_> {
    async fn pass(&mut self) -> Result<Sample, String> {
        self.source.take_requests().await;
        let usage = measure(self.tool.programs(&self.job)).await?;
        let source = self.source.take_requests().await;
        let mut destination: Vec<Request> = Vec::new();
        for place in &self.destinations {
            destination.extend(place.take_requests().await);
        }
        let sizes = self.job.corpus.distinct_blobs();
        let problems = self.inspect().await;
        let (defects, missing_referrers) = self.judge(problems);
        Ok(Sample {
            usage,
            source: Traffic::of(&source, &sizes),
            destination: Traffic::of(&destination, &sizes),
            defects,
            missing_referrers,
        })
    }

    /// Everything below every tag; blobs that were found good before are not read again.
    async fn inspect(&mut self) -> Vec<Problem> {
        let repositories = self.job.corpus.repositories.iter().cycle();
        let mut problems = Vec::new();
        for (witness, repository) in self.witnesses.iter_mut().zip(repositories) {
            for (tag, image) in &repository.tags {
                problems.extend(witness.check(tag).await);
                let defect = match witness.digest(tag).await {
                    Ok(digest) if digest == image.digest() => continue,
                    Ok(digest) => Defect::WrongDigest(image.digest().to_owned(), digest),
                    Err(defect) => defect,
                };
                problems.push(Problem {
                    repository: repository.name.clone(),
                    tag: tag.clone(),
                    defect,
                });
            }
        }
        problems
    }

    /// What counts against the tool, and how many referrers did not come.
    fn judge(&self, problems: Vec<Problem>) -> (Vec<String>, usize) {
        let kinds: HashMap<&str, &FoundBy> = self
            .job
            .corpus
            .images()
            .flat_map(|(.., image)| &image.referrers)
            .map(|referrer| (referrer.manifest.digest.as_str(), &referrer.found_by))
            .collect();
        let mut missing = 0;
        let mut defects = Vec::new();
        for problem in problems {
            let counts = match &problem.defect {
                Defect::ReferrerMissing(_, digest) => {
                    missing += 1;
                    kinds
                        .get(digest.as_str())
                        .is_none_or(|kind| self.tool.claims(kind))
                }
                Defect::ManifestMissing(_)
                | Defect::BlobMissing(_)
                | Defect::Corrupt(_)
                | Defect::Malformed(_)
                | Defect::WrongDigest(..)
                | Defect::Unanswered(_) => true,
            };
            defects.extend(counts.then(|| problem.to_string()));
        }
        (defects, missing)
    }
}
