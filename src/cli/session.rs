// SPDX-License-Identifier: Apache-2.0

//! What rounds over the mirrors of documents need.

use std::path::Path;
use std::sync::Arc;

use super::args::{DocumentArgs, RegistryArgs};
use super::board::{self, SyncBoard};
use super::connect::{Connector, MirrorConnection, connect};
use super::documents::{self, Documents, WrittenObjects};
use super::error::Error;
use super::output::Output;
use super::progress::Progress;
use crate::api::MirroredRepository;
use crate::controller;
use crate::controller::page::RegistryTallies;
use crate::copy;
use crate::oci::Digest;
use crate::plan::Mirror;
use crate::plan::mirror_home::MirrorHome;
use crate::runtime::shutdown::until_signal;
use crate::sync::ledger::{FileError, SetAside};
use crate::sync::prune::Pruner;
use crate::sync::{Allowance, Ledger, Mode, Report, RoundInput, State, round};

/// Everything that rounds need.
pub(super) struct Session {
    /// The mirrors that are not suspended, each with the way to its registries.
    pub(super) inputs: Vec<RoundInput<MirrorConnection>>,
    /// What the rounds share.
    pub(super) state: State,
    pub(super) progress: Arc<Progress>,
    /// Where the mirrors are kept, for what people do about them.
    pub(super) home: MirrorHome,
    /// Whether a later run knows what this one did.
    remembers: bool,
    ledger: Arc<Ledger>,
    written: WrittenObjects,
    tallies: Arc<RegistryTallies>,
}

/// What a command does with the state file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remembering {
    /// It reads it.
    Nothing,
    /// It goes on from what is there, if anything is, and keeps what it does.
    All,
    /// It works on what is there, and keeps what it does.
    Known {
        /// Whether what is on record of destinations that were elsewhere belongs to them.
        is_moved: bool,
    },
}

// === impl Session ===

impl Session {
    pub(super) fn open(
        documents: &DocumentArgs,
        registry: &RegistryArgs,
        output: &Output,
        progress: Arc<Progress>,
        remembering: Remembering,
    ) -> Result<Self, Error> {
        let mut session = Self::open_all(documents, registry, progress, remembering)?;
        session.skip(output, |mirror| mirror.suspend.then_some("is suspended"));
        Ok(session)
    }

    /// The same with the mirrors that are suspended.
    pub(super) fn open_all(
        documents: &DocumentArgs,
        registry: &RegistryArgs,
        progress: Arc<Progress>,
        remembering: Remembering,
    ) -> Result<Self, Error> {
        require_layouts(documents.from_layout.as_deref())?;
        Self::open_as(documents, registry, progress, remembering, |_| Ok(()))
    }

    /// The same with what `change` makes of the mirrors.
    pub(super) fn open_as(
        documents: &DocumentArgs,
        registry: &RegistryArgs,
        progress: Arc<Progress>,
        remembering: Remembering,
        mut change: impl FnMut(&mut RoundInput<MirrorConnection>) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let tallies = Arc::<RegistryTallies>::default();
        let connector = Connector::observed(registry, tallies.clone())?;
        let Documents {
            runnables,
            left_out,
            records,
            written,
        } = documents::read(documents, connector.identities())?;
        let mut inputs = connect(connector, runnables, documents);
        inputs.iter_mut().try_for_each(&mut change)?;
        let ledger = remembering.open(documents)?;
        let remembers = documents.state.is_some() || remembering.takes(&records, &ledger);
        refuse_forgetting(&inputs, remembers)?;
        let ledger = Arc::new(ledger);
        for input in &inputs {
            remembering.bind(&ledger, &input.mirror);
        }
        let events = copy::Progress::none().with(progress.clone());
        let state = State::new(Arc::clone(&ledger), events)
            .with_allowance(Allowance::for_mirrors(inputs.len()));
        // Those that are left out are not part of this run: what they may want is not pruned, and what they have is not
        // written over.
        let expected = inputs.iter().map(|input| (*input.mirror).clone());
        state.expect(expected);
        state.stand_by(left_out.iter().cloned());
        let mirrors = inputs.iter().map(|input| &*input.mirror);
        mirrors
            .chain(&left_out)
            .for_each(|mirror| state.resume_claims(mirror));
        Ok(Self {
            inputs,
            state,
            progress,
            home: board::home(documents, false),
            remembers,
            ledger,
            written,
            tallies,
        })
    }

    /// The mirrors that are not suspended.
    pub(super) fn mirrors(&self) -> impl Iterator<Item = &Mirror> {
        self.inputs.iter().map(|input| &*input.mirror)
    }

    /// What is remembered.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What a page shows of it.
    pub(super) fn board(&self, documents: &DocumentArgs, is_watched: bool) -> SyncBoard {
        SyncBoard::new(
            documents,
            is_watched,
            &self.written,
            &self.ledger,
            &self.tallies,
        )
    }

    /// Leaves out the mirrors of which `why_not` says why they are left out. What they may want is not pruned.
    pub(super) fn skip(
        &mut self,
        output: &Output,
        why_not: impl Fn(&Mirror) -> Option<&'static str>,
    ) {
        let is_skipped = |input: &mut RoundInput<MirrorConnection>| match why_not(&input.mirror) {
            Some(reason) => {
                let name = &input.mirror.name;
                output.note(&format!("skipped: mirror {name} {reason}"));
                true
            }
            None => false,
        };
        let skipped = self.inputs.extract_if(.., is_skipped);
        self.state
            .stand_by(skipped.map(|input| Arc::unwrap_or_clone(input.mirror)));
    }

    /// Says once what mirrors ask for that a run without a memory cannot do.
    pub(super) fn tell_forgotten(&self, output: &Output) {
        let mut forgetting = self.mirrors().filter(|mirror| mirror.immutable.is_given());
        let Some(Mirror { name, .. }) = forgetting.next() else {
            return;
        };
        if output.is_quiet() {
            return;
        }
        let others = match forgetting.count() {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        output.note(&format!(
            "warning: nothing is remembered without --state FILE: each tag of mirror {name}{others} is asked for at \
             the source and the destinations, also those of immutableTags"
        ));
    }

    /// Lets the mirrors delete what a person approved, once.
    pub(super) fn approve(&mut self, plan: &Digest, output: &Output) {
        for RoundInput { mirror, .. } in &mut self.inputs {
            match self.ledger.spent(&mirror.name, plan) {
                None => Arc::make_mut(mirror).prune.approved = Some(plan.clone()),
                Some(time) => output.note(&format!(
                    "note: the approval of {plan} was used for mirror {} at {time:.0}: it is for once",
                    mirror.name
                )),
            }
        }
    }

    /// The same for a single run: what it wrote is not known later, unless it is remembered, and so nothing of it goes.
    pub(super) fn for_once(self) -> Self {
        if self.remembers {
            return self;
        }
        self.with_pruner(Pruner::forgetful())
    }

    /// The same, and `pruner` says what pruning may do.
    pub(super) fn with_pruner(self, pruner: Pruner) -> Self {
        Self {
            state: self.state.with_pruner(pruner),
            ..self
        }
    }

    /// One round over all mirrors; nothing where a signal ended it.
    pub(super) async fn round(&self, mode: Mode) -> Option<Report> {
        let report = until_signal(round(&self.state, &self.inputs, mode, &*self.progress)).await;
        self.progress.finish();
        report
    }
}

// === impl Remembering ===

impl Remembering {
    fn open(self, documents: &DocumentArgs) -> Result<Ledger, FileError> {
        let Some(path) = &documents.state else {
            return Ok(Ledger::in_memory());
        };
        let wait = documents.lock_timeout.unwrap_or_default().as_std();
        match self {
            Self::Nothing => Ledger::look_into(path),
            Self::All => Ledger::open_within(path, wait),
            Self::Known { .. } if path.exists() => Ledger::open_within(path, wait),
            Self::Known { .. } => Err(FileError::Missing(path.clone())),
        }
    }

    /// Goes on from what a controller has on record, where nothing is written: whose records they are, they stay.
    /// Says whether there are any.
    fn takes(self, records: &[MirroredRepository], ledger: &Ledger) -> bool {
        if self != Self::Nothing {
            return false;
        }
        for (page, leaf) in records.iter().filter_map(controller::read_record) {
            ledger.restore(&page, leaf);
        }
        !records.is_empty()
    }

    /// Another mirror's state may have been named by mistake: what it remembers of other places is not
    /// this mirror's until a person says so.
    fn bind(self, ledger: &Ledger, mirror: &Mirror) {
        let is_moved = self == Self::Known { is_moved: true };
        for set_aside in ledger.bind(mirror, is_moved) {
            let SetAside {
                mirror,
                destination,
                from,
                to,
            } = set_aside;
            let from = from.as_deref().unwrap_or("names that it does not give");
            tracing::warn!(
                "mirror {mirror} writes destination {destination} to {to}, and the state file knows it at {from}: what \
                 is on record there is kept. If the mirror moved, `transship prune --moved` prunes it"
            );
        }
    }
}

/// What images are read from must be there: else each of them would be missing.
fn require_layouts(directory: Option<&Path>) -> Result<(), Error> {
    let Some(directory) = directory else {
        return Ok(());
    };
    let what = match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "is a file, and has to be a directory of image layouts: unpack an archive first"
            .to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    let directory = directory.display();
    Err(Error::Usage(format!("--from-layout {directory} {what}")))
}

/// Without a memory, whatever a policy quarantines would be new in every run.
fn refuse_forgetting(
    inputs: &[RoundInput<MirrorConnection>],
    remembers: bool,
) -> Result<(), Error> {
    let quarantining = inputs.iter().find_map(|RoundInput { mirror, .. }| {
        let policies = mirror.images.iter().flat_map(|entry| &entry.policies);
        let mut gated = policies.filter_map(|policy| Some((policy, policy.gates.as_ref()?)));
        let (policy, _) = gated.find(|(_, gates)| gates.min_age.is_some())?;
        Some((policy.name.to_string(), mirror.name.clone()))
    });
    match quarantining {
        Some((policy, mirror)) if !remembers => Err(Error::NoMemory { policy, mirror }),
        Some(_) | None => Ok(()),
    }
}
