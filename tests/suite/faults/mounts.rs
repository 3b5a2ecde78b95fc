// SPDX-License-Identifier: Apache-2.0

//! Blobs that another repository of the destination has already.

use futures::future::join_all;
use transship::registry::Credential;

use super::lab::{Lab, assert_complete, endpoint, image, job, process, target};
use super::refusal;
use crate::support::faults::{FaultRegistry, Options};
use crate::support::http::Reply;
use crate::support::http::script::Action;

/// How the registry answers to a mount, how it is started, and whether the bytes are sent.
type Mount = (&'static str, fn() -> Options, Option<Action>, bool);

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_there_whatever_a_registry_says_of_the_mount() {
    let cases: [Mount; 6] = [
        ("granted", FaultRegistry::options, None, false),
        (
            "answered with an upload",
            || FaultRegistry::options().without_mounts(),
            None,
            true,
        ),
        (
            "forbidden",
            FaultRegistry::options,
            Some(Action::Respond(refusal(403, "DENIED"))),
            true,
        ),
        (
            "unknown",
            FaultRegistry::options,
            Some(Action::Respond(refusal(405, "UNSUPPORTED"))),
            true,
        ),
        (
            "granted and not done",
            FaultRegistry::options,
            Some(Action::Respond(Reply::new(201))),
            true,
        ),
        (
            "granted and not done where no manifest is checked",
            || FaultRegistry::options().sparse(),
            Some(Action::Respond(Reply::new(201))),
            true,
        ),
    ];
    join_all(cases.map(|(name, options, fault, is_sent)| async move {
        let lab = Lab::between(FaultRegistry::start(), options().start(), image());
        lab.source.load("team/base", "1", &lab.image);
        let (engine, pool) = process();
        let source = endpoint(&pool, &lab.source.host(), Credential::Anonymous);
        let base = target(&pool, &lab.destination.host(), "team/base");
        engine
            .copy(&job(source, &lab.image, base))
            .await
            .remove(0)
            .unwrap();
        if let Some(fault) = fault {
            lab.at_destination("POST", "mount=").does(fault);
        }
        let done = engine.copy(&lab.job(&pool)).await.remove(0);
        let done = done.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(done.bytes > 0, is_sent, "{name}");
        assert_complete(&lab.destination, "team/app", &lab.image).await;
    }))
    .await;
}
