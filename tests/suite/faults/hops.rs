// SPDX-License-Identifier: Apache-2.0

//! Registries that send us elsewhere.

use transship::registry::Credential;

use super::lab::{Lab, assert_complete, image, process};
use super::{Row, check};
use crate::support::canary::Canary;
use crate::support::credentials::Login;
use crate::support::faults::{FaultRegistry, Options};
use crate::support::http::Reply;
use crate::support::http::script::Action;

fn to(location: &str) -> Reply {
    Reply::new(307).header("location", &format!("{location}/x?signature=canary"))
}

/// A lab whose source wants a login and gets it.
fn guarded(options: Options) -> Lab {
    let Login { username, password } = Login::valid();
    let lab = Lab::between(options.start(), FaultRegistry::start(), image());
    Lab {
        credential: Credential::Basic {
            username,
            password: password.into(),
        },
        ..lab
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_redirects() {
    let rows: [Row; 4] = [
        (
            "to the metadata of a cloud",
            |lab| lab.layer_read().responds(to("http://169.254.169.254")),
            "CopyFailed: cannot fetch the blob SOURCE/team/app@DIGEST: the registry redirects \
             to http://169.254.169.254, an address of this machine or its network link",
        ),
        (
            "to a file",
            |lab| lab.layer_read().responds(to("file:///etc/passwd")),
            "CopyFailed: cannot fetch the blob SOURCE/team/app@DIGEST: the registry redirects \
             to file:, which is neither https nor http",
        ),
        (
            "with a password",
            |lab| {
                lab.layer_read()
                    .responds(to(&format!("http://canary@{}", lab.bystander.host())));
            },
            "CopyFailed: cannot fetch the blob SOURCE/team/app@DIGEST: the registry answers \
             with a Location that contains a user name or password",
        ),
        (
            "in a circle",
            |lab| {
                lab.layer_read()
                    .responds(Reply::new(307).header("location", "?canary"));
            },
            "CopyFailed: cannot fetch the blob SOURCE/team/app@DIGEST: the registry redirects \
             more than 5 times",
        ),
    ];
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_destination_sends_uploads_elsewhere() {
    let rows: [Row; 5] = [
        (
            "another port",
            |lab| {
                let elsewhere = format!("{}/u?canary", lab.bystander.url());
                lab.announcement()
                    .does(Action::SetHeader("location", elsewhere));
            },
            "CopyFailed: cannot announce the blob DESTINATION/team/app@DIGEST: the registry \
             answers with a Location at http://BYSTANDER, which is not its own scheme, host and \
             port: check the external URL that it is configured with",
        ),
        (
            "another host",
            |lab| {
                let elsewhere = "http://example.invalid/u?canary".to_owned();
                lab.announcement()
                    .does(Action::SetHeader("location", elsewhere));
            },
            "CopyFailed: cannot announce the blob DESTINATION/team/app@DIGEST: the registry \
             answers with a Location at http://example.invalid, which is not its own scheme, \
             host and port: check the external URL that it is configured with",
        ),
        (
            "the port got lost",
            |lab| {
                let elsewhere = "http://127.0.0.1/u?canary".to_owned();
                lab.announcement()
                    .does(Action::SetHeader("location", elsewhere));
            },
            "CopyFailed: cannot announce the blob DESTINATION/team/app@DIGEST: the registry \
             answers with a Location at http://127.0.0.1, which is not its own scheme, host and \
             port: check the external URL that it is configured with",
        ),
        (
            "nowhere",
            |lab| lab.announcement().does(Action::RemoveHeader("location")),
            "CopyFailed: cannot announce the blob DESTINATION/team/app@DIGEST: the answer \
             should name a URL in its Location header and names none that can be read",
        ),
        (
            "the write itself",
            |lab| lab.upload().responds(to(&lab.bystander.url())),
            "CopyFailed: cannot upload the blob DESTINATION/team/app@DIGEST: the registry \
             redirects a request that writes, to http://BYSTANDER: name that host as the \
             registry instead",
        ),
    ];
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_server_elsewhere_hears_no_credential() {
    let tokens = Canary::answering(Reply::new(200).body(r#"{"token":"canary"}"#));
    let realm = format!("{}/token", tokens.url());
    let lab = guarded(FaultRegistry::options().token_from(&realm));
    let (engine, pool) = process();
    let outcome = engine.copy(&lab.job(&pool)).await.remove(0);
    let described = lab.describe(&outcome).replace(&tokens.host(), "TOKENS");
    assert_eq!(
        described,
        "CopyFailed: reading SOURCE/team/app@DIGEST: cannot fetch the manifest SOURCE/team/app@DIGEST: SOURCE names \
         TOKENS as its token server, an address that may lead anywhere: if it is the right one, allow its host and \
         port with --trusted-realms"
    );
    assert_eq!(tokens.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_elsewhere_hears_no_credential() {
    let storage = FaultRegistry::start();
    let lab = guarded(FaultRegistry::options().basic());
    storage.load("team/app", "1", &lab.image);
    let signed = format!("{}/v2/team/app{}?signature=x", storage.url(), lab.layer());
    lab.source
        .script()
        .when({
            let layer = lab.layer();
            move |request| {
                request.path.ends_with(&layer) && request.headers.value("authorization").is_some()
            }
        })
        .responds(Reply::new(307).header("location", &signed));
    let (engine, pool) = process();
    let outcome = engine.copy(&lab.job(&pool)).await.remove(0);
    assert_eq!(lab.describe(&outcome), "Copied");
    assert_complete(&lab.destination, "team/app", &lab.image).await;
    let asked = storage.requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].headers.value("authorization"), None);
}
