// SPDX-License-Identifier: Apache-2.0

//! Registries that stand behind the redirects of another one.

use std::sync::{Arc, Mutex};

use futures::future::{self, BoxFuture};
use transship::oci::{Digest, Registry, Repository};
use transship::registry::{
    Addresses, Boundaries, Client, Credential, Keyring, Kind, Pool, Settings,
};

use super::{
    client_with, content, descriptor, digest, image, insecure, kind, logged_in, read, repository,
    tag, trusting_everywhere,
};
use crate::support::canary::Canary;
use crate::support::content::Image;
use crate::support::credentials::Login;
use crate::support::faults::{FaultRegistry, Options};
use crate::support::http::script::Recorded;
use crate::support::http::{Reply, Request};
use crate::support::tls::Authority;

/// A front that redirects everything to the same path at `target`, and the settings to reach both.
fn front(options: Options, status: u16, target: &str) -> FaultRegistry {
    let front = options.start();
    for part in ["/manifests/", "/blobs/", "/tags/", "/referrers/"] {
        for path in paths(part) {
            front
                .on("*", path.clone())
                .responds(Reply::new(status).header("location", &format!("{target}{path}")));
        }
    }
    front
}

/// The paths that these tests ask for.
fn paths(part: &str) -> Vec<String> {
    let image = image();
    let of = |rest: &str| format!("/v2/team/app{part}{rest}");
    match part {
        "/manifests/" => vec![of("v1"), of(&image.root.digest)],
        "/blobs/" => image.blobs.iter().map(|blob| of(&blob.digest)).collect(),
        "/tags/" => vec![of("list")],
        _ => vec![of(&image.root.digest)],
    }
}

/// Reads all there is of the image.
async fn read_everything(client: &Client, image: &Image) -> Result<(), Kind> {
    for _ in 0..2 {
        kind(client.resolve(&repository(), &tag(), None).await)?.ok_or(Kind::NotFound)?;
        kind(client.fetch_manifest(&repository(), &tag()).await)?;
        let blob = &image.blobs[1];
        let found = content(read(client, &descriptor(blob), 0).await)?;
        assert_eq!(found, Digest::sha256(&blob.bytes));
        let tags = kind(client.list_tags(&repository()).await)?;
        assert_eq!(tags.len(), 1);
    }
    Ok(())
}

fn loaded(options: Options) -> FaultRegistry {
    let registry = options.start();
    registry.load("team/app", "v1", &image());
    registry
}

/// Credentials for registries behind redirects, and who asked for them.
#[derive(Debug)]
struct Keys {
    host: String,
    asked: Mutex<Vec<String>>,
}

impl Keyring for Keys {
    fn find<'a>(&'a self, registry: &'a Registry, _: &'a Repository) -> BoxFuture<'a, Credential> {
        self.asked.lock().unwrap().push(registry.to_string());
        let Login { username, password } = Login::valid();
        let found = if registry.as_str() == self.host {
            Credential::Basic {
                username,
                password: password.into(),
            }
        } else {
            Credential::Anonymous
        };
        Box::pin(future::ready(found))
    }

    fn fingerprint(&self) -> Digest {
        Digest::sha256(self.host.as_bytes())
    }
}

fn keys(registry: &FaultRegistry) -> Arc<Keys> {
    Arc::new(Keys {
        host: registry.host(),
        asked: Mutex::default(),
    })
}

/// A credential that is good nowhere.
fn foreign(settings: Settings) -> Settings {
    Settings {
        credential: Credential::Basic {
            username: "canary".to_owned(),
            password: "canary".into(),
        },
        ..settings
    }
}

fn authorizations(registry: &FaultRegistry) -> Vec<String> {
    let of = |request: Recorded| request.headers.value("authorization").map(str::to_owned);
    registry.requests().into_iter().filter_map(of).collect()
}

#[tokio::test]
async fn a_registry_behind_a_redirect_is_asked_as_itself_and_as_nobody() {
    for status in [301, 302, 303, 307, 308] {
        for settings in [insecure(), foreign(insecure())] {
            let behind = loaded(FaultRegistry::options().token());
            let issuer = behind.token_server().unwrap().issuer();
            issuer.set_anonymous_pull(true);
            let front = front(FaultRegistry::options(), status, &behind.url());
            let client = client_with(&front, &settings);
            assert_eq!(read_everything(&client, &image()).await, Ok(()), "{status}");
            assert_eq!(issuer.issued(), 1, "{status}: one token for the repository");
            let challenged = behind.requests().into_iter();
            let challenged = challenged.filter(|request| request.status == Some(401));
            assert_eq!(challenged.count(), 1, "{status}");
            for sent in authorizations(&behind) {
                assert!(sent.starts_with("Bearer "), "{status}: {sent}");
            }
        }
    }
}

/// The front and what is behind it each want to know who is asking.
#[tokio::test]
async fn both_registries_have_credentials_of_their_own() {
    let authority = Authority::generate();
    for (name, options) in [
        ("basic", FaultRegistry::options().basic()),
        ("token", FaultRegistry::options().token()),
    ] {
        let behind = loaded(options.tls(&authority));
        let front = front(FaultRegistry::options().tls(&authority), 307, &behind.url());
        front
            .script()
            .when(|request| request.headers.value("authorization").is_none())
            .responds(Reply::new(401).header("www-authenticate", "Basic realm=\"front\""));
        let keys = keys(&behind);
        let settings = Settings {
            keyring: Some(keys),
            ..foreign(trusting_everywhere(&authority))
        };
        let client = client_with(&front, &settings);
        assert_eq!(read_everything(&client, &image()).await, Ok(()), "{name}");
        let canary = Login {
            username: "canary".to_owned(),
            password: "canary".to_owned(),
        };
        assert!(!authorizations(&behind).contains(&canary.basic()), "{name}");
        for sent in authorizations(&front) {
            assert_eq!(sent, canary.basic(), "{name}");
        }
    }
}

#[tokio::test]
async fn without_a_credential_for_it_what_is_private_stays_private() {
    let authority = Authority::generate();
    let behind = loaded(FaultRegistry::options().basic().tls(&authority));
    let front = front(FaultRegistry::options().tls(&authority), 307, &behind.url());
    let settings = logged_in(trusting_everywhere(&authority));
    let found = client_with(&front, &settings)
        .resolve(&repository(), &tag(), None)
        .await;
    let error = found.unwrap_err();
    assert_eq!(error.kind(), Kind::AuthenticationFailed);
    let shown = error
        .to_string()
        .replace(&front.host(), "FRONT")
        .replace(&behind.host(), "BEHIND");
    insta::assert_snapshot!(shown, @"cannot look up FRONT/team/app:v1: BEHIND wants a credential, and none was found for it: log in to it (docker login) or name a secret");
    assert_eq!(authorizations(&behind), Vec::<String>::new());
}

/// What is used behind a redirect is not told when it comes back.
#[tokio::test]
async fn a_credential_that_the_other_registry_repeats_is_not_shown() {
    let authority = Authority::generate();
    let behind = FaultRegistry::options().basic().tls(&authority).start();
    let Login { password, .. } = Login::valid();
    let login = Login::valid().basic();
    for said in [
        password.as_str(),
        login.as_str(),
        login.trim_start_matches("Basic "),
    ] {
        behind
            .script()
            .when(|request: &Request| request.headers.value("authorization").is_some())
            .responds(Reply::error(
                400,
                "NAME_INVALID",
                &format!("you are {said}!"),
            ));
        let front = front(FaultRegistry::options().tls(&authority), 307, &behind.url());
        let settings = Settings {
            keyring: Some(keys(&behind)),
            ..trusting_everywhere(&authority)
        };
        let found = client_with(&front, &settings)
            .fetch_manifest(&repository(), &tag())
            .await;
        let error = found.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("you are"), "{shown}");
        for secret in [password.as_str(), login.trim_start_matches("Basic ")] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

/// A front that could choose the path would have us fetch from another registry, in our name, what nobody asked for.
#[tokio::test]
async fn a_credential_for_another_registry_is_used_for_the_same_path_only() {
    let authority = Authority::generate();
    let behind = FaultRegistry::options().basic().tls(&authority).start();
    behind.load("secret/app", "v1", &image());
    behind.load("team/app", "v2", &image());
    let keys = keys(&behind);
    for path in [
        "/v2/secret/app/manifests/v1",
        "/v2/team/app/manifests/v2",
        "/v2//team/app/manifests/v1",
        "/v2/team/app/manifests/../../../secret/app/manifests/v1",
    ] {
        let front = FaultRegistry::options().tls(&authority).start();
        let location = format!("{}{path}", behind.url());
        front
            .on("*", "/manifests/")
            .responds(Reply::new(307).header("location", &location));
        let settings = Settings {
            keyring: Some(Arc::clone(&keys) as Arc<dyn Keyring>),
            ..trusting_everywhere(&authority)
        };
        let found = client_with(&front, &settings)
            .fetch_manifest(&repository(), &tag())
            .await;
        assert!(
            matches!(kind(found), Err(Kind::AuthenticationFailed | Kind::Refused)),
            "{path}"
        );
    }
    assert_eq!(authorizations(&behind), Vec::<String>::new());
    assert!(keys.asked.lock().unwrap().is_empty());
}

/// Plain HTTP to a host that nobody declared so carries no credential.
#[tokio::test]
async fn no_credential_of_another_registry_goes_over_plain_http() {
    let behind = loaded(FaultRegistry::options().basic());
    let front = front(FaultRegistry::options(), 307, &behind.url());
    let keys = keys(&behind);
    let settings = Settings {
        keyring: Some(Arc::clone(&keys) as Arc<dyn Keyring>),
        ..insecure()
    };
    let found = client_with(&front, &settings)
        .resolve(&repository(), &tag(), None)
        .await;
    assert_eq!(kind(found), Err(Kind::AuthenticationFailed));
    assert_eq!(authorizations(&behind), Vec::<String>::new());
}

/// Who redirects once more from there is followed without what was said there.
#[tokio::test]
async fn storage_behind_the_other_registry_hears_nothing() {
    let image = image();
    let layer = &image.blobs[1];
    let storage = Canary::answering(Reply::new(200).body(layer.bytes.clone()));
    let behind = loaded(FaultRegistry::options().token());
    behind
        .token_server()
        .unwrap()
        .issuer()
        .set_anonymous_pull(true);
    let signed = format!("{}/bucket?signature=x", storage.url());
    behind
        .script()
        .when(|request| {
            request.path.contains("/blobs/") && request.headers.value("authorization").is_some()
        })
        .responds(Reply::new(307).header("location", &signed));
    let front = front(FaultRegistry::options(), 307, &behind.url());
    let client = client_with(&front, &logged_in(insecure()));
    let got = read(&client, &descriptor(layer), 0).await;
    assert_eq!(content(got), Ok(Digest::sha256(&layer.bytes)));
    assert_eq!(storage.requests()[0].headers.value("authorization"), None);
    assert!(!storage.heard("Bearer"));
}

/// Whoever is redirected to may lead us on: to a challenge for another server, to itself for ever, or back.
#[tokio::test]
async fn a_hostile_registry_behind_a_redirect_gets_nothing_and_no_more_than_a_few_requests() {
    let tokens = Canary::answering(Reply::new(200).body(r#"{"token":"canary"}"#));
    let realms = [
        format!("{}/token", tokens.url()),
        "http://169.254.169.254/token".to_owned(),
        "//169.254.169.254/token".to_owned(),
        "http://localhost:1/token".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://me@127.0.0.1/token".to_owned(),
    ];
    for realm in realms {
        for scheme in ["Bearer", "Basic"] {
            let challenge =
                format!("{scheme} realm=\"{realm}\",scope=\"repository:team/app:pull,push\"");
            let behind = Canary::answering(Reply::new(401).header("www-authenticate", &challenge));
            let front = front(FaultRegistry::options().basic(), 307, &behind.url());
            let client = client_with(&front, &logged_in(insecure()));
            let found = client.fetch_manifest(&repository(), &tag()).await;
            assert!(
                matches!(kind(found), Err(Kind::Refused | Kind::AuthenticationFailed)),
                "{realm}"
            );
            assert!(
                !behind.heard("Basic ") && !behind.heard("Bearer "),
                "{realm}"
            );
            assert!(behind.requests().len() <= 3, "{realm}");
        }
    }
    assert_eq!(tokens.connections(), 0);

    // Its own token server, and a challenge for ever.
    let behind = FaultRegistry::start();
    let challenge = format!("Bearer realm=\"{}/token\"", behind.url());
    behind
        .on("GET", "/token")
        .responds(Reply::new(200).body(r#"{"token":"t"}"#));
    behind
        .on("*", "/v2/")
        .responds(Reply::new(401).header("www-authenticate", &challenge));
    let front = front(FaultRegistry::options(), 307, &behind.url());
    let found = client_with(&front, &logged_in(insecure()))
        .resolve(&repository(), &tag(), None)
        .await;
    assert_eq!(kind(found), Err(Kind::AuthenticationFailed));
    assert!(behind.requests().len() <= 6, "{:?}", behind.requests());
    assert!(!authorizations(&behind).contains(&Login::valid().basic()));
}

/// What led away and comes back is not let in: it could choose what we ask for in our name.
#[tokio::test]
async fn a_redirect_that_comes_back_carries_no_credential() {
    let registry = FaultRegistry::options().basic().start();
    registry.load("secret/app", "v1", &image());
    let back = format!("{}/v2/secret/app/manifests/v1", registry.url());
    let elsewhere = Canary::answering(Reply::new(307).header("location", &back));
    registry
        .script()
        .when(|request: &Request| {
            request.path.contains("team/app") && request.headers.value("authorization").is_some()
        })
        .responds(Reply::new(307).header(
            "location",
            &format!("{}/v2/team/app/manifests/v1", elsewhere.url()),
        ));
    let client = client_with(&registry, &logged_in(insecure()));
    let found = client.fetch_manifest(&repository(), &tag()).await;
    assert!(found.is_err());
    let told = registry.requests().into_iter().filter(|request| {
        request.path.contains("secret") && request.headers.value("authorization").is_some()
    });
    assert_eq!(told.count(), 0);
}

/// The bounds of an operator hold for a registry behind a redirect as for any other.
#[tokio::test]
async fn bounds_hold_behind_a_redirect() {
    let behind = loaded(FaultRegistry::options().token());
    behind
        .token_server()
        .unwrap()
        .issuer()
        .set_anonymous_pull(true);
    let front = front(FaultRegistry::options(), 307, &behind.url());
    let bounded = |allowed: &str| {
        let boundaries = Boundaries {
            addresses: Addresses {
                allow: vec!["127.0.0.1".parse().unwrap()],
                deny: Vec::new(),
            },
            insecure_hosts: vec!["127.0.0.1".parse().unwrap()],
            allowed_hosts: vec![allowed.parse().unwrap()],
            ..Boundaries::default()
        };
        let pool = Pool::builder("transship/test")
            .boundaries(boundaries)
            .build();
        pool.client(&front.host().parse().unwrap(), &insecure())
            .unwrap()
    };
    let found = bounded(&front.host())
        .resolve(&repository(), &tag(), None)
        .await;
    let error = found.unwrap_err();
    assert_eq!(error.kind(), Kind::OutOfBounds);
    let shown = error
        .to_string()
        .replace(&front.host(), "FRONT")
        .replace(&behind.host(), "BEHIND");
    insta::assert_snapshot!(shown, @"cannot look up FRONT/team/app:v1: the registry BEHIND is out of bounds: if it is meant, the operator has to allow it with --allowed-hosts BEHIND");
    assert_eq!(behind.requests().len(), 0);
    let found = bounded("127.*").resolve(&repository(), &tag(), None).await;
    assert!(kind(found).unwrap().is_some());
}

// === writes inside a registry ===

/// What is asked at `path` is to be asked with a query.
fn moved(registry: &FaultRegistry, method: &'static str, path: &'static str, status: u16) {
    registry
        .script()
        .when(move |request| request.method == method && request.target() == path)
        .responds(Reply::new(status).header("location", &format!("{path}?moved=1")));
}

#[tokio::test]
async fn writes_are_repeated_where_the_registry_moved_them_to_its_own_url() {
    for status in [307, 308] {
        let registry = FaultRegistry::start();
        let image = image();
        registry.load("team/app", "v1", &image);
        moved(&registry, "POST", "/v2/team/app/blobs/uploads/", status);
        let client = client_with(&registry, &insecure());
        let other = crate::support::content::Blob::layer(9, 5_000);
        super::upload(&client, &repository(), &other).await.unwrap();
        assert!(registry.has_blob("team/app", &other.digest));
        let posts = registry
            .requests()
            .into_iter()
            .filter(|request| request.method == "POST");
        assert_eq!(posts.count(), 2, "{status}");

        moved(&registry, "PUT", "/v2/team/app/manifests/v2", status);
        let manifest =
            transship::oci::Manifest::parse(image.root.bytes.clone(), None, None).unwrap();
        let v2 = transship::oci::TagOrDigest::Tag("v2".parse().unwrap());
        client
            .put_manifest(&repository(), &v2, &manifest)
            .await
            .unwrap();
        assert_eq!(registry.tags("team/app"), ["v1", "v2"]);
    }
}

#[tokio::test]
async fn writes_that_cannot_be_repeated_are_not() {
    let started = async |status: u16, location: &str| {
        let registry = FaultRegistry::start();
        registry
            .on("POST", "/uploads/")
            .responds(Reply::new(status).header("location", location));
        let client = client_with(&registry, &insecure());
        let started = client
            .start_upload(&repository(), &Digest::sha256(b"x"), None)
            .await;
        let error = started.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(registry.requests().len() <= 7, "{location}");
        let shown = error.to_string().replace(&registry.host(), "REGISTRY");
        shown.split_once(": ").unwrap().1.to_owned()
    };
    let shown = [
        started(301, "/v2/x").await,
        started(303, "/v2/x").await,
        started(307, "http://127.0.0.1:1/v2/x").await,
        started(307, "?again").await,
    ];
    insta::assert_snapshot!(shown.join("\n"), @r"
    the registry redirects a request that writes to another of its own URLs with 301, where it cannot be sent again: what stands in front of the registry must pass such requests on
    the registry redirects a request that writes to another of its own URLs with 303, where it cannot be sent again: what stands in front of the registry must pass such requests on
    the registry redirects a request that writes, to http://127.0.0.1:1: name that host as the registry instead
    the registry redirects more than 5 times
    ");
}

/// A delete is of what was looked up, and of nothing else that the registry may name.
#[tokio::test]
async fn a_delete_follows_no_redirect() {
    let registry = FaultRegistry::start();
    let image = image();
    registry.load("team/app", "v1", &image);
    registry.load("team/app", "v2", &image);
    for status in [301, 302, 303, 307, 308] {
        registry
            .on("DELETE", "/manifests/v1")
            .responds(Reply::new(status).header("location", "/v2/team/app/manifests/v2"));
        let client = client_with(&registry, &insecure());
        let tag = "v1".parse().unwrap();
        let found = client
            .delete_tag(&repository(), &tag, &digest(&image.root), &[], None)
            .await;
        assert_eq!(kind(found), Err(Kind::Refused));
        assert_eq!(registry.tags("team/app"), ["v1", "v2"]);
    }
}
