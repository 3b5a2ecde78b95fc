// SPDX-License-Identifier: Apache-2.0

//! A copy that is given up: nothing half-done can be seen and nobody goes on asking.

use super::lab::{Lab, assert_complete, process};
use crate::support::http::script::{Action, Gate};

/// A request, and where in it everything stops.
type Moment = (&'static str, fn(&Lab, Gate));

#[tokio::test(flavor = "multi_thread")]
async fn given_up_at_any_moment_it_leaves_no_tag_and_no_request() {
    let moments: [Moment; 8] = [
        ("while the root is read", |lab, gate| {
            lab.root_read().does(Action::HoldReply(gate));
        }),
        ("while a child is read", |lab, gate| {
            lab.child_read().does(Action::HoldBody(10, gate));
        }),
        ("before a blob comes", |lab, gate| {
            lab.layer_read().does(Action::HoldReply(gate));
        }),
        ("while a blob comes", |lab, gate| {
            lab.layer_read().does(Action::HoldBody(9_000, gate));
        }),
        ("while a blob is announced", |lab, gate| {
            lab.announcement().does(Action::HoldReply(gate));
        }),
        ("while a blob is confirmed", |lab, gate| {
            lab.upload().does(Action::HoldReply(gate));
        }),
        ("while it is looked whether a blob is there", |lab, gate| {
            lab.at_destination("POST", "mount=")
                .responds(crate::support::http::Reply::new(201));
            lab.at_destination("GET", "/blobs/")
                .does(Action::HoldReply(gate));
        }),
        ("while a child is written", |lab, gate| {
            lab.child_write().does(Action::HoldReply(gate));
        }),
    ];
    for (name, hold) in moments {
        let (lab, gate) = (Lab::new(), Gate::closed());
        hold(&lab, gate.clone());
        let (engine, pool) = process();
        let job = lab.job(&pool);
        tokio::select! {
            _ = engine.copy(&job) => panic!("{name}: it went on"),
            () = gate.reached() => {}
        }
        lab.assert_quiet(name).await;
        assert!(lab.destination.tags("team/app").is_empty(), "{name}");
        gate.open();
        assert!(
            lab.run(&engine, &pool).await.is_ok(),
            "{name}, in the next run"
        );
        assert_complete(&lab.destination, "team/app", &lab.image).await;
    }
}
