//! How many tags may go without a person's approval.

use super::candidates::{Candidate, Target};
use crate::oci::{Algorithm, Digest};
use crate::plan::mirror::Pruning;

/// The tags of one mirror that are due, and how many are on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brakes {
    /// Tags that are due.
    pub due: usize,
    /// Tags on record.
    pub recorded: usize,
    /// Names exactly the tags that are due, with their digests; None where none is.
    pub plan: Option<Digest>,
}

/// Whether the tags that are due may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// They are few enough, or there are none.
    Free,
    /// A person approved exactly them.
    Approved,
    /// They wait for approval.
    Paused(String),
}

impl Brakes {
    /// The brakes for these candidates.
    pub fn of(candidates: &[Candidate], recorded: usize) -> Self {
        let mut due: Vec<(&Target, &Digest)> = candidates
            .iter()
            .filter(|candidate| candidate.is_due())
            .map(|candidate| (&candidate.target, &candidate.digest))
            .collect();
        due.sort_unstable();
        Self {
            due: due.len(),
            recorded,
            plan: (!due.is_empty()).then(|| digest(&due)),
        }
    }

    /// Whether the tags that are due may go.
    pub fn judge(&self, pruning: &Pruning) -> Passage {
        let Self {
            due,
            recorded,
            plan,
        } = self;
        let Some(plan) = plan else {
            return Passage::Free;
        };
        if pruning.approved.as_ref() == Some(plan) {
            return Passage::Approved;
        }
        let Some(limit) = exceeded(pruning, *due, *recorded) else {
            return Passage::Free;
        };
        let other = match &pruning.approved {
            Some(_) => "; the annotation approves another plan",
            None => "",
        };
        Passage::Paused(format!(
            "{due} of {recorded} tags are due, more than {limit} allows without approval{other}: nothing is deleted until \
             the annotation transship.dev/approve-prune is {plan}"
        ))
    }
}

/// The limit that the tags exceed.
fn exceeded(pruning: &Pruning, due: usize, recorded: usize) -> Option<String> {
    if due > pruning.max_deletes {
        return Some(format!("spec.prune.maxDeletes, {},", pruning.max_deletes));
    }
    let is_share_too_large = due.saturating_mul(100) > recorded.saturating_mul(pruning.max_percent);
    is_share_too_large.then(|| format!("spec.prune.maxPercent, {},", pruning.max_percent))
}

/// No name contains a space or a line break.
fn digest(due: &[(&Target, &Digest)]) -> Digest {
    let mut hasher = Algorithm::Sha256.hasher();
    for (target, digest) in due {
        let Target {
            destination,
            registry,
            repository,
            tag,
        } = target;
        let line = format!("{destination} {registry}/{repository}:{tag} {digest}\n");
        hasher.update(line.as_bytes());
    }
    hasher.finish()
}
