//! Registries that send us elsewhere.

use transship::copy::{Engine, Progress};
use transship::registry::{Credential, Pool};

use super::{AGENT, Case, Lab, Row, assert_complete, check, check_cases, image};
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
            |lab| {
                lab.at_source("GET", lab.layer())
                    .responds(to("http://169.254.169.254"))
            },
            "",
        ),
        (
            "to a file",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .responds(to("file:///etc/passwd"))
            },
            "",
        ),
        (
            "with a password",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .responds(to(&format!("http://canary@{}", lab.bystander.host())))
            },
            "",
        ),
        (
            "in a circle",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .responds(Reply::new(307).header("location", "?canary"))
            },
            "",
        ),
    ];
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_destination_sends_uploads_elsewhere() {
    let rows: [Row; 6] = [
        (
            "a relative location",
            |lab| {
                lab.destination
                    .script()
                    .when(|request| request.method == "POST")
                    .does(Action::SetHeader("x", String::new()));
            },
            "Copied",
        ),
        (
            "another port",
            |lab| {
                let elsewhere = format!("{}/u?canary", lab.bystander.url());
                lab.at_destination("POST", "/uploads/")
                    .does(Action::SetHeader("location", elsewhere));
            },
            "",
        ),
        (
            "another host",
            |lab| {
                let elsewhere = "http://example.invalid/u?canary".to_owned();
                lab.at_destination("POST", "/uploads/")
                    .does(Action::SetHeader("location", elsewhere));
            },
            "",
        ),
        (
            "the port got lost",
            |lab| {
                let elsewhere = "http://127.0.0.1/u?canary".to_owned();
                lab.at_destination("POST", "/uploads/")
                    .does(Action::SetHeader("location", elsewhere));
            },
            "",
        ),
        (
            "nowhere",
            |lab| {
                lab.at_destination("POST", "/uploads/")
                    .does(Action::RemoveHeader("location"))
            },
            "",
        ),
        (
            "the write itself",
            |lab| {
                lab.at_destination("PUT", "/uploads/")
                    .responds(to(&lab.bystander.url()))
            },
            "",
        ),
    ];
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_server_elsewhere_hears_no_credential() {
    let tokens = Canary::answering(Reply::new(200).body(r#"{"token":"canary"}"#));
    let realm = format!("{}/token", tokens.url());
    let lab = guarded(FaultRegistry::options().token_from(&realm));
    let (engine, pool) = (Engine::new(Progress::none()), Pool::new(AGENT));
    let outcome = engine.copy(&lab.job(&pool)).await.remove(0);
    let described = lab.describe(&outcome).replace(&tokens.host(), "TOKENS");
    assert_eq!(described, "");
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
    let (engine, pool) = (Engine::new(Progress::none()), Pool::new(AGENT));
    let outcome = engine.copy(&lab.job(&pool)).await.remove(0);
    assert_eq!(lab.describe(&outcome), "Copied");
    assert_complete(&lab.destination, "team/app", &lab.image).await;
    let asked = storage.requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].headers.value("authorization"), None);
}
