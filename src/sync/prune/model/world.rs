//! Everything but the code that decides.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use super::known::{
    IMAGES, Image, KNOWN_IMAGES, KNOWN_REPOSITORIES, KNOWN_TAGS, MIRRORS, Place, TAGS, any_mirror,
};
use super::random::Random;
use crate::api::Reason;
use crate::copy::{Endpoint, Progress};
use crate::oci::{Digest, Repository, Tag};
use crate::plan::in_use::InUse;
use crate::plan::{Destination, Mirror};
use crate::sync::ledger::{Keep, KeepError, Leaf, Memory, Page, Slot};
use crate::sync::prune::{Pruner, Times};
use crate::sync::trust::Authorities;
use crate::sync::workloads::{Workloads, WorkloadsError};
use crate::sync::{Connect, ConnectError, Ledger, Syncer};

/// When every history begins.
const BEGIN: i64 = 2_000_000_000;
/// What a workload uses, as the judge sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A tag, by its name at the source, at the destination, or by a short one.
    Tag(Place),
    /// A digest: of an image, of its child or of its config.
    Image(Digest),
}

/// Nobody connects: the registry is a map.
pub(super) struct Nowhere;

/// What outlives a process.
#[derive(Default)]
pub(super) struct Durable {
    pub(super) leaves: Mutex<HashMap<Page, Leaf>>,
    is_failing: Mutex<bool>,
}

/// Everything there is.
pub(super) struct World {
    pub(super) random: Random,
    is_told: bool,
    /// What the source has.
    pub(super) source: BTreeMap<Place, Digest>,
    /// What the destination has.
    pub(super) registry: BTreeMap<Place, Digest>,
    pub(super) workloads: BTreeMap<u64, (String, Use)>,
    /// The same, for the code that decides.
    pub(super) in_use: InUse,
    pub(super) mirror: Arc<Mirror>,
    /// Which of the known mirrors it is.
    pub(super) mirror_index: usize,
    /// What policies select, in every repository.
    pub(super) selected: BTreeSet<Tag>,
    /// The time that really passed, and how wrong the clock is.
    clock: Arc<Mutex<(Duration, SignedDuration)>>,
    process_began: Arc<Mutex<Duration>>,
    pub(super) durable: Arc<Durable>,
    pub(super) syncer: Syncer<Nowhere>,
    /// When a round last saw that a tag is wanted, by the time that really passed.
    pub(super) last_wanted: BTreeMap<Place, Duration>,
    /// Steps until the process dies, if it does.
    pub(super) fuse: Option<u64>,
    /// The plan that the last round came to.
    pub(super) plan: Option<Digest>,
    pub(super) deleted: usize,
    /// When the last tag of an image was deleted by a round, by the time that really passed.
    pub(super) deletions: BTreeMap<(Repository, Digest), Duration>,
    /// Images whose tags were written anew, with another one, before they were restored or given up: nobody
    /// looks for what refers to them.
    pub(super) abandoned: BTreeSet<(Repository, Digest)>,
    /// Signatures that went after their images.
    pub(super) cleared: usize,
    /// Whether nothing fails any more.
    pub(super) is_quiet: bool,
}

// === impl World ===

impl World {
    pub(super) fn new(mut random: Random, is_told: bool) -> Self {
        let clock = Arc::new(Mutex::new((Duration::ZERO, SignedDuration::ZERO)));
        let process_began = Arc::new(Mutex::new(Duration::ZERO));
        let durable = Arc::new(Durable::default());
        let mirror_index = any_mirror(&mut random);
        let mut world = Self {
            syncer: start(&durable, &clock, &process_began),
            random,
            is_told,
            source: BTreeMap::new(),
            registry: BTreeMap::new(),
            workloads: BTreeMap::new(),
            in_use: InUse::default(),
            mirror: MIRRORS[mirror_index].clone(),
            mirror_index,
            selected: KNOWN_TAGS.iter().cloned().collect(),
            clock,
            process_began,
            durable,
            last_wanted: BTreeMap::new(),
            fuse: None,
            plan: None,
            deleted: 0,
            deletions: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            cleared: 0,
            is_quiet: false,
        };
        for _ in 0..6 {
            world.push_at_source();
        }
        world.round();
        world
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            eprintln!("{}", what());
        }
    }

    /// One thing happens, and often a round after it.
    pub(super) fn happen(&mut self) {
        match self.random.below(16) {
            0 | 1 => self.push_at_source(),
            2 => self.remove_at_source(),
            3 | 4 => self.edit_policy(),
            5 => self.edit_mirror(),
            6 => self.start_workload(),
            7 => self.end_workload(),
            8 => self.meddle(),
            9 => self.restart(),
            10 => self.set_clock(),
            11 => self.approve(),
            12 => self.break_next_round(),
            _ => self.pass_time(),
        }
        if !self.random.one_in(4) {
            self.round();
        }
    }

    pub(super) fn any_place(&mut self) -> Place {
        let repository = usize::from(self.random.one_in(3));
        let tag = usize::try_from(self.random.below(TAGS.len() as u64)).unwrap();
        (
            KNOWN_REPOSITORIES[repository].clone(),
            KNOWN_TAGS[tag].clone(),
        )
    }

    fn any_image(&mut self) -> &'static Image {
        let index = usize::try_from(self.random.below(IMAGES)).unwrap();
        &KNOWN_IMAGES[index]
    }

    fn push_at_source(&mut self) {
        let (place, image) = (self.any_place(), self.any_image());
        self.tell(|| format!("source: {}:{} = {}", place.0, place.1, image.digest));
        self.source.insert(place, image.digest.clone());
    }

    fn remove_at_source(&mut self) {
        let place = self.any_place();
        self.tell(|| format!("source: {}:{} is gone", place.0, place.1));
        self.source.remove(&place);
    }

    fn edit_policy(&mut self) {
        let bits = self.random.below(1 << TAGS.len());
        let tags = KNOWN_TAGS.iter().enumerate();
        self.selected = tags
            .filter(|(index, _)| bits >> index & 1 == 1)
            .map(|(_, tag)| tag.clone())
            .collect();
        self.tell(|| format!("policy: {:?}", self.selected));
    }

    fn edit_mirror(&mut self) {
        self.mirror_index = any_mirror(&mut self.random);
        self.mirror = MIRRORS[self.mirror_index].clone();
        self.tell(|| format!("mirror: {:?}", self.mirror.prune));
    }

    pub(super) fn start_workload(&mut self) {
        let place = self.any_place();
        let image = self.any_image();
        let (repository, tag) = &place;
        let [child, config] = &image.closure;
        let by_digest = Use::Image(image.digest.clone());
        let (text, used) = match self.random.below(6) {
            0 => (
                format!("r.example.com/{repository}:{tag}"),
                Use::Tag(place.clone()),
            ),
            1 => (format!("{repository}:{tag}"), Use::Tag(place.clone())),
            2 => (
                format!("cache.corp/hub/{repository}:{tag}"),
                Use::Tag(place.clone()),
            ),
            3 => (format!("else.where/x@{}", image.digest), by_digest),
            4 => (format!("docker-pullable://x@{child}"), by_digest),
            _ => (config.to_string(), by_digest),
        };
        self.tell(|| format!("workload: {text}"));
        let number = self.random.below(4);
        self.workloads.insert(number, (text, used));
        self.in_use = self.look();
    }

    fn end_workload(&mut self) {
        let number = self.random.below(4);
        self.workloads.remove(&number);
        self.in_use = self.look();
    }

    /// Somebody else writes to the destination, or deletes there.
    fn meddle(&mut self) {
        let place = self.any_place();
        let image = (!self.random.one_in(3)).then(|| self.any_image());
        self.tell(|| {
            let image = image.map(|image| &image.digest);
            format!("somebody: {}:{} = {image:?}", place.0, place.1)
        });
        match image {
            Some(image) => self.registry.insert(place, image.digest.clone()),
            None => self.registry.remove(&place),
        };
    }

    pub(super) fn restart(&mut self) {
        self.tell(|| "restart".to_owned());
        self.fuse = None;
        let (passed, _) = *self.clock.lock().unwrap();
        *self.process_began.lock().unwrap() = passed;
        self.syncer = start(&self.durable, &self.clock, &self.process_began);
        if self.random.one_in(4) {
            self.pass_time();
        }
    }

    /// Somebody sets the clock: by a year, and sometimes back again.
    fn set_clock(&mut self) {
        let year = SignedDuration::from_hours(365 * 24);
        let offset = match self.random.below(3) {
            0 => year,
            1 => -year,
            _ => SignedDuration::ZERO,
        };
        self.tell(|| format!("clock: {offset:?}"));
        self.clock.lock().unwrap().1 = offset;
    }

    pub(super) fn pass_time(&mut self) {
        let hours = [0, 1, 7, 25, 25, 50, 400, 1000];
        let index = usize::try_from(self.random.below(hours.len() as u64)).unwrap();
        self.wait(Duration::from_secs(hours[index] * 60 * 60 + 60));
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.tell(|| format!("time: {time:?}"));
        self.clock.lock().unwrap().0 += time;
    }

    fn approve(&mut self) {
        let other = self.any_image().digest.clone();
        let approved = if self.random.one_in(4) {
            Some(other)
        } else {
            self.plan.clone()
        };
        self.tell(|| format!("approved: {approved:?}"));
        Arc::make_mut(&mut self.mirror).prune.approved = approved;
    }

    /// The process dies in the next round, or cannot keep its records.
    fn break_next_round(&mut self) {
        if self.random.one_in(4) {
            *self.durable.is_failing.lock().unwrap() = true;
        } else {
            self.fuse = Some(self.random.below(24));
        }
        self.tell(|| format!("the next round breaks: {:?}", self.fuse));
    }

    /// How much time really passed.
    pub(super) fn passed(&self) -> Duration {
        self.clock.lock().unwrap().0
    }

    pub(super) fn mend(&mut self) {
        *self.durable.is_failing.lock().unwrap() = false;
        self.fuse = None;
    }

    /// Whether the mirror wants this tag.
    pub(super) fn wants(&self, place: &Place) -> bool {
        self.mirror.names(&place.0)
            && self.selected.contains(&place.1)
            && self.source.contains_key(place)
    }

    /// A round that ended has seen what is wanted.
    pub(super) fn take_note_of_wants(&mut self) {
        let now = self.passed();
        let wanted: Vec<Place> = self.source.keys().cloned().collect();
        for place in wanted {
            if self.wants(&place) {
                self.last_wanted.insert(place, now);
            }
        }
    }

    /// What is kept of a tag.
    pub(super) fn kept(&self, place: &Place) -> Leaf {
        let leaves = self.durable.leaves.lock().unwrap();
        leaves
            .get(&self.slot(place).page)
            .cloned()
            .unwrap_or_default()
    }

    pub(super) fn slot(&self, place: &Place) -> Slot {
        Slot {
            page: Page {
                mirror: self.mirror.name.clone(),
                destination: "eu".to_owned(),
                repository: place.0.clone(),
            },
            tag: place.1.clone(),
        }
    }

    fn look(&self) -> InUse {
        let mut in_use = InUse::default();
        for (number, (text, _)) in &self.workloads {
            in_use.add_image_id(&format!("Pod shop/{number}"), text);
        }
        in_use
    }
}

/// A process begins with what was kept.
fn start(
    durable: &Arc<Durable>,
    clock: &Arc<Mutex<(Duration, SignedDuration)>>,
    began: &Arc<Mutex<Duration>>,
) -> Syncer<Nowhere> {
    let ledger = Ledger::kept_by(durable.clone());
    for (page, leaf) in &*durable.leaves.lock().unwrap() {
        ledger.restore(page, leaf.clone());
    }
    let (clock, began) = (clock.clone(), began.clone());
    let times = move || {
        let (passed, offset) = *clock.lock().unwrap();
        let told = SignedDuration::try_from(passed).unwrap() + offset;
        Times {
            now: Timestamp::from_second(BEGIN).unwrap() + told,
            running: passed.saturating_sub(*began.lock().unwrap()),
        }
    };
    let pruner = Pruner::deleting(Some(Arc::new(Nowhere))).with_times(times);
    Syncer::new(Nowhere, Arc::new(ledger), Progress::none()).with_pruner(pruner)
}

impl Keep for Durable {
    fn keep<'a>(
        &'a self,
        memory: &'a Memory,
        pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>> {
        let kept = if *self.is_failing.lock().unwrap() {
            Err(KeepError {
                reason: Reason::Unreachable,
                message: "not now".to_owned(),
            })
        } else {
            let mut leaves = self.leaves.lock().unwrap();
            leaves.extend(pages.iter().map(|page| (page.clone(), memory.page(page))));
            Ok(())
        };
        Box::pin(std::future::ready(kept))
    }
}

impl Connect for Nowhere {
    async fn source(&self, _: &Mirror, _: Option<&Repository>) -> Result<Endpoint, ConnectError> {
        unreachable!("nobody connects in a model")
    }

    async fn destination(
        &self,
        _: &Mirror,
        _: &Destination,
        _: &Repository,
    ) -> Result<Endpoint, ConnectError> {
        unreachable!("nobody connects in a model")
    }

    fn authorities(&self, _: &Mirror) -> Result<Arc<Authorities>, ConnectError> {
        unreachable!("nobody verifies in a model")
    }
}

impl Workloads for Nowhere {
    fn look(&self) -> BoxFuture<'_, Result<InUse, WorkloadsError>> {
        unreachable!("the world tells what is in use")
    }
}
