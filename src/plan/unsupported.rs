//! What the API knows and the engine cannot do yet. It is refused: a check that is not made must never
//! look like one that was passed. Each refusal goes when its feature comes.

use super::fields::Fields;
use crate::api::image_mirror::{Prune, PruneMode};

/// Refuses pruning, which nothing does yet.
pub(super) fn refuse_pruning(prune: &Prune, fields: &mut Fields) {
    match prune.mode {
        PruneMode::Retain => {}
        PruneMode::Plan | PruneMode::Delete => fields.refuse(
            "spec.prune.mode",
            "pruning is not supported yet: remove it, or write Retain",
        ),
    }
}
