// SPDX-License-Identifier: Apache-2.0

//! Blobs that are mounted from another repository, or sent where that is not done.

use transship::oci::Repository;
use transship::registry::Upload;

use super::blob;
use crate::registry::{client, digest, exchanges, repository};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

#[tokio::test]
async fn a_mount_falls_back_to_an_upload() {
    let from: Repository = "other/app".parse().unwrap();
    let refused = |status| Action::Respond(Reply::error(status, "DENIED", "no"));
    let no_place = |status| Action::Respond(Reply::new(status));
    let cases: [(&str, Option<Action>, &[u16]); 21] = [
        ("mounted", None, &[201]),
        ("200", Some(no_place(200)), &[200, 202]),
        ("202 without a location", Some(no_place(202)), &[202, 202]),
        (
            "202 at another host",
            Some(Action::Respond(
                Reply::new(202).header("location", "http://192.0.2.1/v2/x"),
            )),
            &[202, 202],
        ),
        ("204", Some(no_place(204)), &[204, 202]),
        ("304", Some(no_place(304)), &[304, 202]),
        ("429", Some(no_place(429)), &[429, 429, 429, 202]),
        ("502", Some(no_place(502)), &[502, 502, 502, 202]),
        ("503", Some(no_place(503)), &[503, 503, 503, 202]),
        ("504", Some(no_place(504)), &[504, 504, 504, 202]),
        ("not answered", Some(Action::Close), &[0, 202]),
        (
            "an upload instead",
            Some(Action::Respond(
                Reply::new(202).header("location", "/v2/team/app/blobs/uploads/session-9"),
            )),
            &[202],
        ),
        ("400", Some(refused(400)), &[400, 202]),
        ("401", Some(refused(401)), &[401, 202]),
        ("403", Some(refused(403)), &[403, 202]),
        ("404", Some(refused(404)), &[404, 202]),
        ("405", Some(refused(405)), &[405, 202]),
        ("409", Some(refused(409)), &[409, 202]),
        ("422", Some(refused(422)), &[422, 202]),
        ("500", Some(refused(500)), &[500, 202]),
        ("501", Some(refused(501)), &[501, 202]),
    ];
    for (name, fault, expected) in cases {
        let registry = FaultRegistry::start();
        let blob = blob();
        registry.load_blob("other/app", &blob);
        if let Some(fault) = fault {
            registry.on("POST", "mount=").does(fault);
        }
        let started = client(&registry)
            .start_upload(&repository(), &digest(&blob), Some(&from))
            .await;
        assert_eq!(
            matches!(started.unwrap(), Upload::Mounted),
            name == "mounted",
            "{name}"
        );
        let posts = registry
            .requests()
            .into_iter()
            .filter(|request| request.method == "POST");
        let statuses: Vec<u16> = posts.map(|request| request.status.unwrap_or(0)).collect();
        assert_eq!(statuses, expected, "{name}");
    }
}

#[tokio::test]
async fn a_mount_that_meets_trouble_of_the_host_is_asked_for_again() {
    let registry = FaultRegistry::start();
    let blob = blob();
    registry.load_blob("other/app", &blob);
    registry
        .on("POST", "mount=")
        .first(2)
        .responds(Reply::new(503));
    let from: Repository = "other/app".parse().unwrap();
    let started = client(&registry)
        .start_upload(&repository(), &digest(&blob), Some(&from))
        .await;
    assert!(matches!(started.unwrap(), Upload::Mounted));
}

#[tokio::test]
async fn a_registry_that_knows_no_mount_is_not_asked_for_one_again() {
    let registry = FaultRegistry::start();
    registry.on("POST", "mount=").responds(Reply::new(405));
    let client = client(&registry);
    let from: Repository = "other/app".parse().unwrap();
    for _ in 0..2 {
        client
            .start_upload(&repository(), &digest(&blob()), Some(&from))
            .await
            .unwrap();
    }
    let statuses: Vec<u16> = exchanges(&registry)
        .into_iter()
        .map(|(_, status)| status)
        .collect();
    assert_eq!(statuses, [405, 202, 202]);
}

#[tokio::test]
async fn mounts_that_are_refused_are_given_up_for_their_kind_only() {
    let registry = FaultRegistry::start();
    registry
        .on("POST", "from=team%2Fapp")
        .responds(Reply::new(404));
    let client = client(&registry);
    let blob = blob();
    registry.load_blob("other/app", &blob);
    let from: Repository = "other/app".parse().unwrap();
    for _ in 0..6 {
        client
            .start_upload(&repository(), &digest(&blob), Some(&repository()))
            .await
            .unwrap();
    }
    let refused = exchanges(&registry)
        .into_iter()
        .filter(|(_, status)| *status == 404)
        .count();
    assert_eq!(refused, 4, "from the repository itself");
    let mounted = client
        .start_upload(&repository(), &digest(&blob), Some(&from))
        .await
        .unwrap();
    assert!(matches!(mounted, Upload::Mounted), "from another one");
}
