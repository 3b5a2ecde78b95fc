// SPDX-License-Identifier: Apache-2.0

//! Where a registry may send us, and what we say there.

use transship::oci::Digest;
use transship::registry::{Kind, Settings};

use super::{
    client, client_with, content, descriptor, image, insecure, kind, loaded, logged_in, read,
    repository, tag, trusting,
};
use crate::support::canary::Canary;
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;
use crate::support::tls::Authority;

fn to(location: &str) -> Reply {
    Reply::new(307).header("location", location)
}

/// A registry that wants a login, with one image, and the settings to get in.
fn guarded() -> (FaultRegistry, Settings) {
    let registry = FaultRegistry::options().basic().start();
    registry.load("team/app", "v1", &image());
    (registry, logged_in(insecure()))
}

#[tokio::test]
async fn storage_behind_a_redirect_serves_blobs_and_hears_no_credential() {
    let image = image();
    let layer = &image.blobs[1];
    let storage = Canary::answering(Reply::new(200).body(layer.bytes.clone()));
    let (registry, settings) = guarded();
    let signed = format!("{}/bucket?signature=x", storage.url());
    registry
        .script()
        .when(|request| {
            request.path.contains("/blobs/") && request.headers.value("authorization").is_some()
        })
        .responds(to(&signed));
    let got = read(&client_with(&registry, &settings), &descriptor(layer), 0).await;
    assert_eq!(content(got), Ok(Digest::sha256(&layer.bytes)));
    assert!(storage.heard("signature=x"));
    assert_eq!(storage.requests()[0].headers.value("authorization"), None);
    assert!(!storage.heard(&Login::valid().basic()));
}

#[tokio::test]
async fn a_part_is_asked_for_behind_a_redirect_too() {
    let image = image();
    let layer = &image.blobs[1];
    let rest = layer.bytes.slice(50_000..);
    let size = layer.bytes.len();
    let part = Reply::new(206)
        .header("content-range", &format!("bytes 50000-{}/{size}", size - 1))
        .body(rest.clone());
    let storage = Canary::answering(part);
    let (registry, _) = loaded();
    registry.on("GET", "/blobs/").responds(to(&storage.url()));
    let got = read(&client(&registry), &descriptor(layer), 50_000).await;
    assert_eq!(content(got), Ok(Digest::sha256(&rest)));
    let range = format!("bytes=50000-{}", size - 1);
    assert_eq!(
        storage.requests()[0].headers.value("range"),
        Some(range.as_str())
    );
}

#[tokio::test]
async fn redirects_that_are_not_followed() {
    let asks = |challenge| Canary::answering(Reply::new(401).header("www-authenticate", challenge));
    let (basic, bearer) = (
        asks("Basic realm=\"x\""),
        asks("Bearer realm=\"http://127.0.0.1/\",service=\"x\""),
    );
    let cases: [(&str, String, Kind); 7] = [
        (
            "metadata",
            "http://169.254.169.254/latest".to_owned(),
            Kind::Refused,
        ),
        (
            "metadata, mapped",
            "http://[::ffff:169.254.169.254]/".to_owned(),
            Kind::Refused,
        ),
        ("unspecified", "http://0.0.0.0/".to_owned(), Kind::Refused),
        ("a file", "file:///etc/passwd".to_owned(), Kind::Refused),
        ("in a circle", "?again".to_owned(), Kind::Refused),
        ("asks for a password", basic.url(), Kind::Refused),
        ("asks for a token", bearer.url(), Kind::Refused),
    ];
    for (name, location, expected) in cases {
        let (registry, settings) = guarded();
        registry.on("GET", "/manifests/").responds(to(&location));
        let found = client_with(&registry, &settings)
            .fetch_manifest(&repository(), &tag())
            .await;
        assert_eq!(kind(found), Err(expected), "{name}");
        assert!(registry.requests().len() <= 7, "{name}");
    }
    for canary in [basic, bearer] {
        assert_eq!(canary.requests().len(), 1);
        assert!(!canary.heard(&Login::valid().basic()));
    }
}

#[tokio::test]
async fn encryption_is_never_given_up() {
    let plain = Canary::start();
    let authority = Authority::generate();
    let registry = FaultRegistry::options().tls(&authority).start();
    registry.on("GET", "/").responds(to(&plain.url()));
    registry
        .on("POST", "/uploads/")
        .does(Action::SetHeader("location", format!("{}/u", plain.url())));
    let client = client_with(&registry, &trusting(&authority));
    let found = client.fetch_manifest(&repository(), &tag()).await;
    assert_eq!(kind(found), Err(Kind::Refused));
    let digest = Digest::sha256(b"x");
    let started = client.start_upload(&repository(), &digest, None).await;
    assert_eq!(kind(started.map(|_| ())), Err(Kind::Refused));
    assert_eq!(plain.connections(), 0);
}

#[tokio::test]
async fn a_write_is_not_redirected() {
    let elsewhere = Canary::start();
    let (registry, settings) = guarded();
    registry
        .on("POST", "/uploads/")
        .responds(to(&elsewhere.url()));
    let digest = Digest::sha256(b"x");
    let started = client_with(&registry, &settings)
        .start_upload(&repository(), &digest, None)
        .await;
    assert_eq!(kind(started.map(|_| ())), Err(Kind::Refused));
    assert_eq!(elsewhere.connections(), 0);
}

/// What a registry leads to is a stranger: it is not shown our certificate, and the authorities of the registry do
/// not vouch for it. Those of the process do.
#[tokio::test]
async fn certificates_stay_with_their_registry() {
    let image = image();
    let layer = &image.blobs[1];
    let (ours, everybodys) = (Authority::generate(), Authority::generate());
    let cases = [
        ("known to all", everybodys.server(), true),
        ("known to the registry", ours.server(), false),
        ("asks who we are", everybodys.mutual_server(), false),
    ];
    for (name, tls, expected) in cases {
        let reply = Reply::new(200).body(layer.bytes.clone());
        let storage = Canary::answering_over(reply, Some(tls));
        let options = FaultRegistry::options().tls_with(ours.mutual_server(), &ours);
        let registry = options.start();
        registry.load("team/app", "v1", &image);
        let there = to(&format!("{}/bucket", storage.url()));
        registry.on("GET", "/blobs/").responds(there);
        let mut settings = trusting(&ours);
        // Good at the registry, and at a storage that would take it.
        let identity =
            [ours.issue(), everybodys.issue()][usize::from(name == "asks who we are")].pem();
        settings.ca_pem = Some(everybodys.pem().as_bytes().to_vec());
        settings.tls.identity_pem = Some(identity.into());
        let got = read(&client_with(&registry, &settings), &descriptor(layer), 0).await;
        assert_eq!(content(got).is_ok(), expected, "{name}");
        assert_eq!(storage.requests().len(), usize::from(expected), "{name}");
    }
}
