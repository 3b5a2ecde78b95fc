//! What was deleted can be restored, for as long as the grace says.

use super::must;
use crate::sync::prune::model::world::World;

impl World {
    /// A mirror has a round with the grace that it has now.
    pub(in crate::sync::prune::model) fn take_note_of_grace(&mut self) {
        let (me, grace) = (self.me, self.mirror().prune.grace.as_std());
        let losses = self.notes.losses.values_mut();
        for loss in losses.filter(|loss| loss.mirror == me) {
            loss.grace = loss.grace.min(grace);
        }
    }

    pub(in crate::sync::prune::model) fn judge_undo(&self) {
        if self.notes.are_records_lost {
            return;
        }
        for (place, loss) in &self.notes.losses {
            let since = self.passed().saturating_sub(loss.at);
            if since >= loss.grace {
                continue;
            }
            let is_kept = self.is_restorable(&loss.slot, &loss.digest);
            must(is_kept, || format!("{place:?} cannot be restored any more"));
        }
    }
}
