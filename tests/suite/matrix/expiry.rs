// SPDX-License-Identifier: Apache-2.0

//! Tokens that end before the copy does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;

use super::mirror::{Mirror, Report};
use super::pair::assert_arrived;
use crate::support::client::{Access, Client};
use crate::support::content::{Image, ImageBuilder};
use crate::support::credentials::Scope;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::token::Issuer;

/// Seconds that the tokens live which are to expire in the middle: enough to begin.
const SHORT: i64 = 3;

/// Whoever refuses a token that is newer refuses the credential.
const NEW_TOKEN: Duration = Duration::from_secs(1);

/// Where the registry stands whose tokens expire.
#[derive(Clone, Copy, Debug)]
enum Side {
    Source,
    Destination,
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_expire_in_the_middle_are_renewed() {
    let cases = Kind::ALL
        .into_iter()
        .flat_map(|kind| [(kind, Side::Source), (kind, Side::Destination)]);
    join_all(cases.map(|(kind, side)| outlive_tokens(kind, side))).await;
}

/// A copy between a registry and another one that holds it up until the first one's tokens are dead.
async fn outlive_tokens(kind: Kind, side: Side) {
    let (guarded, open) = (
        Registry::start(kind, Security::Token).await,
        FaultRegistry::start(),
    );
    let image = image();
    let gate = Gate::closed();
    let mirror = match side {
        Side::Source => {
            guarded.client().push("app", "1", &image).await;
            open.on("POST", "/blobs/uploads/")
                .does(Action::Hold(gate.clone()));
            Mirror::from(&guarded.access()).to(&open.access())
        }
        Side::Destination => {
            open.load("app", "1", &image);
            open.on("GET", "/blobs/").does(Action::Hold(gate.clone()));
            Mirror::from(&open.access()).to(&guarded.access())
        }
    };
    let issuer = Arc::clone(guarded.token_server().unwrap().issuer());
    // distribution tolerates a minute of difference between clocks.
    let lifetime = if kind == Kind::Crane { 60 } else { 120 };
    issuer.set_age(lifetime - SHORT);
    let running = mirror
        .image("app", &["1"])
        .command(&["sync", "-o", "json"])
        .start();
    gate.reached().await;
    wait_for_expiry(&guarded, &issuer).await;
    issuer.set_age(0);
    let before = issuer.issued();
    gate.open();
    let report = Report::read(running.finish().await);
    report.expect(0, [1, 0, 0, 0, 0], format!("{kind:?} {side:?}"));
    assert!(issuer.issued() > before, "{kind:?} {side:?}: no new token");
    match side {
        Side::Source => assert_eq!(open.tags("app"), ["1"]),
        Side::Destination => assert_arrived(&guarded, "app", "1", &image).await,
    }
}

/// Waits until every token that was issued so far is refused.
async fn wait_for_expiry(registry: &Registry, issuer: &Issuer) {
    let scope = Scope::parse("repository:app:pull").unwrap();
    let authorization = format!("Bearer {}", issuer.issue(&[scope]));
    let client = Client::new(Access {
        login: None,
        ..registry.access()
    });
    let headers = [("authorization", authorization.as_str())];
    let status = async || {
        let answer = client.send("GET", "/v2/app/tags/list", &headers, Bytes::new());
        answer.await.unwrap().status
    };
    while status().await != 401 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_revoked_in_the_middle_are_renewed() {
    let moments = [
        (Side::Source, "GET", "/manifests/"),
        (Side::Source, "GET", "/blobs/"),
        (Side::Destination, "PUT", "/blobs/uploads/"),
        (Side::Destination, "PUT", "/manifests/sha256:"),
        (Side::Destination, "PUT", "/manifests/1"),
    ];
    join_all(moments.map(|(side, method, part)| outlive_revocation(side, method, part))).await;
}

/// A copy of which one side revokes all tokens while the first of some requests is on its way.
async fn outlive_revocation(side: Side, method: &'static str, part: &'static str) {
    let (source, destination) = (
        FaultRegistry::options().token().start(),
        FaultRegistry::options().token().start(),
    );
    let image = image();
    source.load("app", "1", &image);
    let registry = match side {
        Side::Source => &source,
        Side::Destination => &destination,
    };
    let gate = Gate::closed();
    registry
        .on(method, part)
        .first(1)
        .does(Action::Hold(gate.clone()));
    let running = Mirror::from(&source.access())
        .image("app", &["1"])
        .to(&destination.access())
        .command(&["sync", "-o", "json"])
        .start();
    gate.reached().await;
    tokio::time::sleep(NEW_TOKEN).await;
    registry.token_server().unwrap().issuer().revoke_all();
    gate.open();
    let report = Report::read(running.finish().await);
    report.expect(0, [1, 0, 0, 0, 0], format!("{side:?} {method} {part}"));
    let arrived = destination.manifest("app", "1").unwrap();
    assert_eq!(arrived.digest, image.digest(), "{side:?} {method} {part}");
}

fn image() -> Image {
    ImageBuilder::new(5)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[2_000, 20_000])
        .build()
}
