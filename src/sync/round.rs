// SPDX-License-Identifier: Apache-2.0

//! The round on one screen. Each mirror goes through its steps by itself; only who owns a tag is settled over those that
//! may want it, and only what nobody else still copies to is pruned.

use std::collections::HashSet;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::join_all;

use super::connect::Connect;
use super::copies::{Copies, Hearsay};
use super::input::RoundInput;
use super::item::Item;
use super::mirror_round::MirrorRound;
use super::mode::Mode;
use super::observer::Observer;
use super::only::Only;
use super::parents::find_parents;
use super::peers::{Peer, Peers};
use super::prune::{Findings, PruneRun};
use super::sighting::{Selected, Sighting};
use super::state::State;
use super::steps::apply::apply;
use super::steps::decide::decide;
use super::steps::gate::gate;
use super::steps::integrity::check_integrity;
use super::steps::late::look_again;
use super::steps::list::list;
use super::steps::own::{conclude, hold_back, own, wishes};
use super::steps::resolve::resolve;
use super::steps::select::select;
use super::steps::{apply, gate, list, resolve};
use super::wishes::Run;
use crate::copy::Engine;
use crate::plan::RepositoryShare;
use crate::plan::report::{Failure, MirrorReport, Outcome, Report, TagReport};
use crate::runtime::memory::{self, HeldMemory};

/// What a tag at a destination takes in a round with all that becomes of it, in bytes, about.
const TAG_BYTES: usize = 1_024;

/// What all mirrors of a run share.
struct Round<'a> {
    state: &'a State,
    run: Run,
    mode: Mode,
    observer: &'a dyn Observer,
    peers: Peers,
    /// What the rounds are limited to.
    only: Option<&'a Only>,
    copies: Copies<'a>,
}

/// Brings the destinations of the mirrors up to date, or says what that would take; tells `observer` of every tag that
/// is done.
///
/// Dropping the future stops the round cleanly; what was finished stays on record.
pub async fn round<C: Connect>(
    state: &State,
    inputs: &[RoundInput<C>],
    mode: Mode,
    observer: &dyn Observer,
) -> Report {
    let round = Round {
        state,
        run: state.begin_run(),
        mode,
        observer,
        peers: Peers::new(inputs.iter().map(|input| &input.mirror)),
        only: None,
        copies: Copies::All,
    };
    let mirrors = inputs.iter().zip(round.peers.iter());
    let mirrors = mirrors.map(|(input, peer)| round.run_on_account(input, peer));
    let mirrors = join_all(mirrors).await;
    Report { mirrors }
}

/// Looks at some tags of a mirror, and brings them up to date like a [`round`] does. Nothing else is looked at, nothing
/// is pruned, and what is gone from the source is left to a whole round. A tag that is named after the digest of an image on
/// record, or of one that it lists, stands for the tags of that image, too: what refers to it is looked for anew.
pub async fn glance<C: Connect>(
    state: &State,
    input: &RoundInput<C>,
    only: &Only,
    observer: &dyn Observer,
) -> MirrorReport {
    let sources = state.ledger.sources(&input.mirror.name);
    let parents = find_parents(state, input, &only.strangers(&sources)).await;
    let only = only.with_parents(parents);
    let only = only.with_subjects(&input.mirror, sources);
    let round = Round {
        state,
        run: state.begin_glance(),
        mode: Mode::Apply,
        observer,
        peers: Peers::new(std::iter::once(&input.mirror)),
        only: Some(&only),
        copies: Copies::All,
    };
    round.of_one(input).await
}

/// A [`round`] of a mirror whose images other processes copy. What they are to copy goes on record, and into the report
/// as planned as long as they were not asked; what they did not copy then has failed, as they `told`. Only where they
/// have nothing to copy any more something is pruned.
pub async fn round_elsewhere<C: Connect>(
    state: &State,
    input: &RoundInput<C>,
    mode: Mode,
    told: &dyn Hearsay,
    observer: &dyn Observer,
) -> MirrorReport {
    let round = Round {
        state,
        run: state.begin_run(),
        mode,
        observer,
        peers: Peers::new(std::iter::once(&input.mirror)),
        only: None,
        copies: Copies::Elsewhere(told),
    };
    round.of_one(input).await
}

/// Copies what [`round_elsewhere`] put on record in another process, as far as it is of this share of the repositories.
/// Images that have become others meanwhile are left alone, and nothing is pruned.
pub async fn copy_share<C: Connect>(
    state: &State,
    input: &RoundInput<C>,
    share: &RepositoryShare,
    observer: &dyn Observer,
) -> MirrorReport {
    let mirror = &input.mirror;
    let only = Only::begun(mirror, state.ledger.leaves(&mirror.name), share);
    let round = Round {
        state,
        run: state.begin_glance(),
        mode: Mode::Apply,
        observer,
        peers: Peers::new(std::iter::once(mirror)),
        only: Some(&only),
        copies: Copies::Part(share),
    };
    round.of_one(input).await
}

impl Round<'_> {
    /// The round of its only mirror.
    async fn of_one<C: Connect>(&self, input: &RoundInput<C>) -> MirrorReport {
        let mut reports = Vec::new();
        for peer in self.peers.iter() {
            reports.push(self.run_on_account(input, peer).await);
        }
        let report = reports.pop();
        report.unwrap_or_else(|| MirrorReport::new(&input.mirror.name))
    }

    /// A round whose mirror has its own share of the memory.
    async fn run_on_account<C: Connect>(&self, input: &RoundInput<C>, peer: &Peer) -> MirrorReport {
        let memory = &self.state.allowance.memory;
        let account = memory.account(&input.mirror.name, &input.mirror.namespace);
        // On the heap, as everything that lasts.
        let one = self.run(input, peer).boxed();
        account.scope(one).await
    }

    async fn run<C: Connect>(&self, input: &RoundInput<C>, peer: &Peer) -> MirrorReport {
        let RoundInput { mirror, connection } = input;
        let State {
            engine,
            ledger,
            learned,
            allowance,
            ..
        } = self.state;
        let mut round = MirrorRound::new(mirror);
        round.only = self.only.cloned();

        let listing = list::Deps {
            connection,
            engine,
            ledger,
            learned,
            allowance,
        };
        let (observed, listings) =
            memory::with_room(|| list(&listing, mirror, self.only).boxed()).await;
        let selected = select(allowance, &mut round, observed);
        drop(listings);
        let (selected, _room) = weigh(&mut round, selected);
        let resolving = resolve::Deps {
            connection,
            engine,
            ledger,
        };
        let found = resolve(&resolving, &mut round, selected, self.mode).boxed();
        let mut found = found.await;
        self.copies.believe(ledger, &mut found);
        let owned = self.own(&mut round, peer, found).await;
        let gating = gate::Deps {
            engine,
            ledger,
            learned,
            authorities: &connection.authorities(),
        };
        let judged = gate(&gating, self.run, &mut round, owned).boxed().await;
        decide(&mut round, judged);
        self.copies.limit(&mut round.items);
        if self.only.is_some() {
            look_anew(engine, &round.items);
        }
        if self.mode != Mode::Prune {
            check_integrity(engine, &mut round).boxed().await;
            look_again(engine, &mut round, self.mode).boxed().await;
        }
        let pruning = PruneRun::new(self.state, input);
        self.apply(&mut round, &pruning).await;
        self.peers.tell_copied(peer, ledger).await;
        self.prune(&mut round, &pruning).await;
        peer.tell_done();
        round.report
    }

    /// Prunes once everything is in place that is wanted, where all of it was looked at.
    async fn prune<C: Connect>(&self, round: &mut MirrorRound, pruning: &PruneRun<'_, C>) {
        if self.only.is_none() && !self.waits(round) {
            let findings = Findings::of(&round.selection, &round.items);
            let end = pruning.prune(&findings, &mut round.report, self.mode);
            end.boxed().await;
        }
    }

    /// Whether other processes are to copy something before the round can come to its end.
    fn waits(&self, round: &MirrorRound) -> bool {
        let is_planned = |tag: &TagReport| matches!(tag.outcome, Outcome::Planned { .. });
        matches!(self.copies, Copies::Elsewhere(_)) && round.report.tags.iter().any(is_planned)
    }

    /// Who owns the destination tags; what is another's stays as it is.
    async fn own(
        &self,
        round: &mut MirrorRound,
        peer: &Peer,
        found: Vec<Sighting>,
    ) -> Vec<Sighting> {
        let wishes = Arc::new(wishes(&self.state.claims(), round, &found));
        let all = self.peers.tell_wishes(peer, &wishes).await;
        let begun = match self.copies {
            Copies::Elsewhere(_) => found.clone(),
            Copies::All | Copies::Part(_) => Vec::new(),
        };
        let mut claims = self.state.claims();
        let is_here = |mirror: &str| self.state.is_here(mirror);
        let owned = own(
            &mut claims,
            (self.run, &is_here),
            round,
            (&wishes, &all),
            found,
        );
        hold_back(&self.state.ledger, &begun, &owned);
        owned
    }

    /// What came of the destination tags; where nothing is to be written, what would.
    async fn apply<C: Connect>(&self, round: &mut MirrorRound, pruning: &PruneRun<'_, C>) {
        let outcomes = match self.mode {
            Mode::Apply | Mode::Refresh => {
                if !matches!(self.copies, Copies::Part(_)) {
                    let healing = pruning.heal_before_copies(&round.items);
                    healing.boxed().await;
                }
                let applying = apply::Deps {
                    state: self.state,
                    observer: self.observer,
                    copies: self.copies,
                };
                let outcomes = apply(&applying, round).boxed().await;
                let State { ledger, .. } = self.state;
                conclude(&mut self.state.claims(), ledger, self.run, round, &outcomes);
                outcomes
            }
            Mode::Plan | Mode::Prune => round.items.iter().map(Item::foreseen).collect(),
        };
        round.tell(outcomes);
    }
}

/// What was stored at destinations before may have been deleted since.
fn look_anew(engine: &Engine, items: &[Item]) {
    let sightings = items.iter().map(|item| &item.sighting);
    let places = sightings.map(|it| (it.endpoint.place(), &it.claim.repository));
    let places: HashSet<_> = places.collect();
    for (place, repository) in places {
        engine.look_anew(&place, repository);
    }
}

/// Makes room for what becomes of the selected tags in the round. Without it nothing of them is looked at.
fn weigh(round: &mut MirrorRound, selected: Vec<Selected>) -> (Vec<Selected>, HeldMemory) {
    let tags = selected.len() * round.mirror.destinations.len();
    match memory::hold(tags * TAG_BYTES) {
        Ok(held) => (selected, held),
        Err(full) => {
            let failure = Failure::full(&round.mirror.name, full);
            round.fail(failure);
            (Vec::new(), HeldMemory::default())
        }
    }
}
