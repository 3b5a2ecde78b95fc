// SPDX-License-Identifier: Apache-2.0

//! A mirror between two registries, the rounds of one process, a clock that can be set, and workloads that
//! can be told to be there.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use transship::api::Reason;
use transship::api::document::{self, Resource};
use transship::plan::in_use::InUse;
use transship::plan::prune::{Fate, PruneReport, Stop};
use transship::plan::report::MirrorReport;
use transship::plan::{self, Mirror};
use transship::registry::Pool;
use transship::sync::prune::{Pruner, Times};
use transship::sync::workloads::{Workloads, WorkloadsError};
use transship::sync::{Ledger, Mode};

use crate::plain::{Plain, Process, Trusted, Unwatched};
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;

/// What is used: a user and an image each; or why nobody can say.
pub(super) type Used = Result<Vec<(String, String)>, WorkloadsError>;

/// The tags `1` to `5` of `team/app`, all copied.
pub(super) struct Lab {
    pub(super) source: Arc<FaultRegistry>,
    pub(super) destination: Arc<FaultRegistry>,
    pub(super) workloads: Arc<Told>,
    pub(super) has_lease: Arc<AtomicBool>,
    pub(super) syncer: Process,
    directory: TempDir,
    times: Arc<Mutex<Times>>,
}

/// Workloads as they are told, look by look; the last answer stays.
#[derive(Default)]
pub(super) struct Told {
    answers: Mutex<Vec<Used>>,
    pub(super) looks: AtomicUsize,
}

impl Lab {
    /// The tags are copied, and nobody wants `1`, `2` and `3` any more for as long as the grace: the next
    /// round of [`Lab::narrow`] deletes them.
    pub(super) async fn due() -> Self {
        Self::due_at(FaultRegistry::start()).await
    }

    /// The same with this source.
    pub(super) async fn due_at(source: FaultRegistry) -> Self {
        let lab = Self::copied_from(source).await;
        let report = lab.round(&lab.narrow("")).await;
        assert_eq!(fates(&report), ["1 Waiting", "2 Waiting", "3 Waiting"]);
        lab.pass(25);
        lab
    }

    /// The tags are copied.
    pub(super) async fn copied_from(source: FaultRegistry) -> Self {
        Self::copied_between(source, FaultRegistry::start()).await
    }

    /// The same to this destination.
    pub(super) async fn copied_between(source: FaultRegistry, destination: FaultRegistry) -> Self {
        for number in 1..=5 {
            source.load("team/app", &number.to_string(), &image(number));
        }
        let directory = TempDir::new().unwrap();
        let times = Arc::new(Mutex::new(Times {
            now: Timestamp::from_second(2_000_000_000).unwrap(),
            running: Duration::from_secs(1_000_000_000),
        }));
        let workloads = Arc::new(Told::default());
        let has_lease = Arc::new(AtomicBool::new(true));
        let pruner = pruner(&times, &workloads);
        let lab = Self {
            source: Arc::new(source),
            destination: Arc::new(destination),
            syncer: syncer(&state(directory.path()), &has_lease, pruner),
            workloads,
            has_lease,
            directory,
            times,
        };
        lab.round(&lab.mirror("['*']", "")).await;
        assert_eq!(lab.tags(), ["1", "2", "3", "4", "5"]);
        lab
    }

    /// The next process, with what the one before put on record.
    pub(super) fn restart(self) -> Self {
        let state = state(self.directory.path());
        self.restart_with(&state)
    }

    /// The next process, with nothing on record.
    pub(super) fn forget(self) -> Self {
        let state = self.directory.path().join("another.json");
        self.restart_with(&state)
    }

    fn restart_with(self, state: &Path) -> Self {
        let pruner = pruner(&self.times, &self.workloads);
        self.run_with(state, pruner)
    }

    /// The first process ends before the next one begins.
    fn run_with(self, state: &Path, pruner: Pruner) -> Self {
        let Self {
            source,
            destination,
            workloads,
            has_lease,
            syncer: ended,
            directory,
            times,
        } = self;
        drop(ended);
        Self {
            syncer: syncer(state, &has_lease, pruner),
            source,
            destination,
            workloads,
            has_lease,
            directory,
            times,
        }
    }

    /// A process in which the operator stopped all deletion.
    pub(super) fn held(self) -> Self {
        let times = self.times.clone();
        let pruner = Pruner::held(Stop::by_operator())
            .with_workloads(self.workloads.clone())
            .with_times(move || *times.lock().unwrap());
        let state = state(self.directory.path());
        self.run_with(&state, pruner)
    }

    /// Time passes.
    pub(super) fn pass(&self, hours: u32) {
        let mut times = self.times.lock().unwrap();
        times.now += SignedDuration::from_hours(hours.into());
        times.running += Duration::from_secs(u64::from(hours) * 3600);
    }

    /// Somebody sets the clock.
    pub(super) fn set_clock(&self, hours: i64) {
        self.times.lock().unwrap().now += SignedDuration::from_hours(hours);
    }

    /// The mirror that wants `4` and `5` only, with more in `prune`.
    pub(super) fn narrow(&self, prune: &str) -> Mirror {
        self.mirror("['[45]']", prune)
    }

    /// A mirror that wants these tags.
    pub(super) fn mirror(&self, tags: &str, prune: &str) -> Mirror {
        let images = format!("[{{repository: team/app, tags: {tags}}}]");
        self.mirror_of(&images, "{repository}", prune)
    }

    /// A mirror of these entries, all of them to this repository.
    pub(super) fn mirror_of(&self, images: &str, repository: &str, prune: &str) -> Mirror {
        let (source, destination) = (self.source.host(), self.destination.host());
        let mode = if prune.contains("mode:") {
            ""
        } else {
            "mode: Delete, "
        };
        let percent = if prune.contains("maxPercent:") {
            ""
        } else {
            "maxPercent: 100, "
        };
        let prune = if prune.is_empty() {
            "adopted: Keep"
        } else {
            prune
        };
        let text = format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
             source: {{registry: '{source}', insecure: true}}\n  \
             images: {images}\n  \
             destinations: [{{name: d, registry: '{destination}', insecure: true, repository: '{repository}'}}]\n  \
             prune: {{{mode}{percent}{prune}}}\n"
        );
        let documents = document::parse(&text, "mirror.yaml").unwrap().documents;
        let Resource::ImageMirror(mirror) = &documents[0].resource else {
            panic!("a mirror");
        };
        plan::validate(mirror, &[]).unwrap()
    }

    /// One round: what came of it.
    pub(super) async fn round(&self, mirror: &Mirror) -> MirrorReport {
        let mut report = self.syncer.round(&[mirror], Mode::Apply, &Unwatched).await;
        report.mirrors.remove(0)
    }

    /// The size of what is on record, in bytes.
    pub(super) fn size_of_state(&self) -> u64 {
        let state = state(self.directory.path());
        state.metadata().unwrap().len()
    }

    /// The tags at the destination.
    pub(super) fn tags(&self) -> Vec<String> {
        self.destination.tags("team/app")
    }

    /// How many requests of the destination asked for a deletion.
    pub(super) fn deletions(&self) -> usize {
        let requests = self.destination.requests();
        requests
            .iter()
            .filter(|request| request.method == "DELETE")
            .count()
    }

    /// A text without addresses.
    pub(super) fn without_hosts(&self, text: &str) -> String {
        text.replace(&self.source.host(), "SOURCE")
            .replace(&self.destination.host(), "DESTINATION")
    }
}

/// An index of two images.
pub(super) fn image(number: u64) -> Image {
    ImageBuilder::new(number)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[500])
        .build()
}

/// An index with an SBOM of its own and one of each image, and a signature in a tag.
pub(super) fn signed(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[300])
        .referrer("application/x-sbom")
        .child_referrer("application/x-sbom")
        .signature_tag()
        .build()
}

/// What pruning came to.
pub(super) fn prune(report: &MirrorReport) -> &PruneReport {
    report.prune.as_ref().expect("a report of pruning")
}

/// Each unwanted tag with what became of it.
pub(super) fn fates(report: &MirrorReport) -> Vec<String> {
    let tags = prune(report).tags.iter();
    tags.map(|tag| {
        let fate = if let Fate::Protected { protected_by, .. } = &tag.fate {
            format!("Protected by {protected_by}")
        } else {
            format!("{:?}", tag.fate)
        };
        format!("{} {fate}", tag.target.tag)
    })
    .collect()
}

impl Told {
    /// These are the answers to the next looks.
    pub(super) fn say(&self, answers: Vec<Used>) {
        *self.answers.lock().unwrap() = answers;
    }
}

/// An image that a Deployment uses.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the answers")]
pub(super) fn used(image: &str) -> Used {
    Ok(vec![("Deployment shop/web".to_owned(), image.to_owned())])
}

pub(super) fn unseen() -> Used {
    Err(WorkloadsError {
        reason: Reason::AccessDenied,
        message: "pods cannot be listed".to_owned(),
    })
}

impl Workloads for Told {
    fn look(&self) -> BoxFuture<'_, Result<InUse, WorkloadsError>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            match answers.len() {
                0 => Ok(Vec::new()),
                1 => answers[0].clone(),
                _ => answers.remove(0),
            }
        };
        async move {
            let mut in_use = InUse::default();
            for (user, image) in answer? {
                in_use.add_image(&user, &image);
            }
            Ok(in_use)
        }
        .boxed()
    }
}

fn state(directory: &Path) -> PathBuf {
    directory.join("state.json")
}

fn pruner(times: &Arc<Mutex<Times>>, workloads: &Arc<Told>) -> Pruner {
    let times = times.clone();
    Pruner::deleting(Some(workloads.clone())).with_times(move || *times.lock().unwrap())
}

fn syncer(state: &Path, has_lease: &Arc<AtomicBool>, pruner: Pruner) -> Process {
    let has_lease = has_lease.clone();
    let pool = Pool::builder("transship-tests")
        .write_guard(Arc::new(move || has_lease.load(Ordering::Relaxed)))
        .build();
    let ledger = Arc::new(Ledger::open(state).unwrap());
    let registries = Plain::new(pool, Trusted::default());
    Process::new(registries, ledger).with_pruner(pruner)
}
