// SPDX-License-Identifier: Apache-2.0

//! Watches a destination while it is being written: a tag that can be seen must be complete.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::content::Image;
use super::runtime;
use super::witness::{Defect, Problem, Witness};

/// Between two rounds, so that the registry gets to do something else too.
const PAUSE: Duration = Duration::from_millis(1);

/// How often a tag that is listed and cannot be read is looked at again at the end: whoever wrote it
/// may have been killed while the registry was still at it.
const LAST_LOOKS: usize = 100;
/// Between two such looks.
const LAST_PAUSE: Duration = Duration::from_millis(50);

/// A watcher in the background. It stops when dropped.
pub struct Poller {
    stop: CancellationToken,
    task: Option<JoinHandle<Observed>>,
}

/// What a poller saw.
#[derive(Debug, Default)]
pub struct Observed {
    /// Tags that were visible without all of their content.
    pub problems: Vec<Problem>,
    /// Every repository and tag that was ever visible.
    pub tags: BTreeSet<(String, String)>,
    /// How many times it looked at everything.
    pub rounds: usize,
}

struct Watch {
    witnesses: Vec<Witness>,
    checked: HashMap<(String, String), String>,
    observed: Observed,
}

impl Poller {
    /// Watches repositories of a registry.
    pub fn watch(client: &Client, repositories: &[&str]) -> Self {
        Self::watch_images(client, repositories, &[])
    }

    /// Watches repositories into which these images are copied: a visible tag must have their referrers too.
    pub fn watch_images(client: &Client, repositories: &[&str], images: &[&Image]) -> Self {
        let witness = |repository: &&str| {
            images.iter().fold(
                Witness::new(client.clone(), repository),
                |witness, image| witness.expecting(image),
            )
        };
        let watch = Watch {
            witnesses: repositories.iter().map(witness).collect(),
            checked: HashMap::new(),
            observed: Observed::default(),
        };
        let stop = CancellationToken::new();
        let task = runtime().spawn(watch.run(stop.clone()));
        Self {
            stop,
            task: Some(task),
        }
    }

    /// Looks a last time and tells what it saw.
    pub async fn finish(mut self) -> Observed {
        self.stop.cancel();
        self.task
            .take()
            .expect("finished once")
            .await
            .expect("a poller that does not panic")
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Watch {
    async fn run(mut self, stop: CancellationToken) -> Observed {
        loop {
            let is_last = stop.is_cancelled();
            for place in 0..self.witnesses.len() {
                self.look(place, is_last).await;
            }
            self.observed.rounds += 1;
            if is_last {
                return self.observed;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&mut self, place: usize, is_last: bool) {
        let witness = &mut self.witnesses[place];
        let repository = witness.repository().to_owned();
        let tags = match witness.client().tags(&repository).await {
            Ok(tags) => tags,
            Err(error) => {
                self.observed
                    .problems
                    .push(witness.problem("", Defect::Unanswered(error.to_string())));
                return;
            }
        };
        for tag in tags {
            let place = (repository.clone(), tag.clone());
            self.observed.tags.insert(place.clone());
            let mut before = witness.digest(&tag).await;
            for _ in 0..LAST_LOOKS {
                if before.is_ok() || !is_last {
                    break;
                }
                tokio::time::sleep(LAST_PAUSE).await;
                before = witness.digest(&tag).await;
            }
            let is_known = match &before {
                Ok(digest) => self.checked.get(&place) == Some(digest),
                // distribution lists a tag a moment before it can be read; at the end there is no such excuse.
                Err(_) => !is_last,
            };
            if is_known {
                continue;
            }
            let problems = witness.check(&tag).await;
            // distribution 2 fails to read a manifest at the moment when it is given another tag.
            if !is_last && problems.iter().any(Problem::is_failure) {
                continue;
            }
            // A tag that was taken away or moved while we looked is looked at again in the next round.
            if problems.is_empty() || witness.digest(&tag).await == before {
                self.observed.problems.extend(problems);
                self.checked
                    .extend(before.ok().map(|digest| (place, digest)));
            }
        }
    }
}
