// SPDX-License-Identifier: Apache-2.0

//! Mirrors of one run that share a repository.

use transship::plan::Mirror;
use transship::sync::Mode;

use super::lab::{Lab, fates};
use crate::plain::Unwatched;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

/// The same source under another name, which can be slower.
fn from(source: &FaultRegistry, mirror: Mirror, name: &str) -> Mirror {
    let mut mirror = Mirror {
        name: format!("default/{name}"),
        ..mirror
    };
    mirror.source.registry = source.host().parse().unwrap();
    mirror
}

#[tokio::test]
async fn what_another_mirror_of_the_run_comes_to_want_stays_however_slow_that_is() {
    for is_first in [true, false] {
        let lab = Lab::due_at(FaultRegistry::start()).await;
        let slow = FaultRegistry::start();
        slow.load("team/app", "1", &super::lab::image(1));
        let gate = Gate::closed();
        let hold = Action::Hold(gate.clone());
        slow.script().when(|_| true).does(hold);
        let other = from(&slow, lab.mirror("['1']", "mode: Retain"), "other");
        let narrow = lab.narrow("");
        let mirrors = if is_first {
            [&narrow, &other]
        } else {
            [&other, &narrow]
        };
        let round = lab.syncer.round(&mirrors, Mode::Apply, &Unwatched);
        let watch = async {
            gate.reached().await;
            gate.open();
        };
        let (report, ()) = tokio::join!(round, watch);
        let mut reports = report.mirrors.iter();
        let pruned = reports.find(|report| report.mirror == "default/m").unwrap();
        assert_eq!(
            fates(pruned),
            [
                "1 Protected by mirror default/other",
                "2 Deleted",
                "3 Deleted"
            ]
        );
        assert_eq!(lab.tags(), ["1", "4", "5"]);
    }
}
