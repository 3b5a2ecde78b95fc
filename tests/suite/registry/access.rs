// SPDX-License-Identifier: Apache-2.0

//! Token servers that know other rights than we would ask for, and challenges as registries write them.

use transship::oci::{Digest, Repository, Tag};
use transship::registry::{Client, Deletion, Kind, Pool, Proxy, Settings};

use super::{client_with, digest, image, insecure, kind, logged_in, repository, tag};
use crate::support::content::Image;
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::Action;
use crate::support::http::{Reply, Request};

/// Scopes that a registry's own token endpoint was asked for, those of one request in one text.
fn scopes(registry: &FaultRegistry) -> Vec<String> {
    let asked = registry.requests().into_iter();
    asked
        .filter(|request| request.path == "/token")
        .map(|request| {
            url::form_urlencoded::parse(request.query.as_bytes())
                .filter(|(name, _)| name == "scope")
                .map(|(_, scope)| scope.into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

fn bearer(registry: &FaultRegistry, rest: &str) -> String {
    format!(
        "Bearer realm=\"http://{}/token\",service=\"s\"{rest}",
        registry.host()
    )
}

fn has_token(request: &Request, token: &str) -> bool {
    request.headers.value("authorization") == Some(&format!("Bearer {token}"))
}

/// A registry with an image that takes the token `ACTIONS` for requests that need one of these actions, and whose
/// token endpoint refuses with `refusal` what is not among `known`.
fn registry_of(
    known: &'static [&'static str],
    refusal: u16,
    write: &'static str,
) -> (FaultRegistry, Image) {
    let registry = FaultRegistry::start();
    let image = image();
    registry.load("team/app", "v1", &image);
    let script = registry.script();
    for actions in known {
        let granted =
            Reply::new(200).body(format!(r#"{{"token":"{}"}}"#, actions.replace(',', "-")));
        let asked = url::form_urlencoded::byte_serialize(format!(":{actions}").as_bytes())
            .collect::<String>();
        script
            .when(move |request| request.path == "/token" && request.query.ends_with(&asked))
            .responds(granted);
    }
    script
        .when(move |request| {
            let asked = request.parameters("scope");
            let is_granted = |scope: &String| {
                let (_, actions) = scope.rsplit_once(':').unwrap();
                actions.split(',').all(|action| {
                    known
                        .iter()
                        .any(|known| known.split(',').any(|one| one == action))
                })
            };
            request.path == "/token" && !asked.iter().all(is_granted)
        })
        .responds(Reply::error(refusal, "INVALID_REQUEST", "no such action"));
    for (reads, actions) in [(true, "pull"), (false, write)] {
        let token = actions.replace(',', "-");
        let challenge = bearer(
            &registry,
            &format!(",scope=\"repository:team/app:{actions}\""),
        );
        script
            .when(move |request| {
                request.path.starts_with("/v2/")
                    && matches!(request.method.as_str(), "GET" | "HEAD") == reads
                    && !has_token(request, &token)
            })
            .responds(
                Reply::error(401, "UNAUTHORIZED", "no").header("www-authenticate", &challenge),
            );
    }
    (registry, image)
}

async fn delete(client: &Client, image: &Image) -> Result<Deletion, Kind> {
    let tag: Tag = "v1".parse().unwrap();
    kind(
        client
            .delete_tag(&repository(), &tag, &digest(&image.root), &[], None)
            .await,
    )
}

/// Pulp grants `pull` and `push`, self-hosted Quay also `*`; both refuse whoever asks for `delete`.
#[tokio::test]
async fn a_tag_is_deleted_with_the_right_that_the_registry_names() {
    let pulp: &[&str] = &["pull", "push"];
    let quay: &[&str] = &["pull", "push", "pull,push"];
    let cases = [
        ("Pulp", pulp, 403, "push"),
        ("Pulp, without a credential for it", pulp, 401, "push"),
        ("Quay", quay, 400, "pull,push"),
        (
            "a token server that does not know the scope",
            pulp,
            404,
            "push",
        ),
    ];
    for (name, known, refusal, write) in cases {
        let (registry, image) = registry_of(known, refusal, write);
        let client = client_with(&registry, &logged_in(insecure()));
        assert_eq!(
            delete(&client, &image).await,
            Ok(Deletion::Deleted),
            "{name}"
        );
        assert!(registry.tags("team/app").is_empty(), "{name}");
        let of = |actions: &str| format!("repository:team/app:{actions}");
        assert_eq!(
            scopes(&registry),
            [of("pull"), of("delete"), of(write)],
            "{name}"
        );
        registry.script().clear_requests();
        registry.load("team/app", "v1", &image);
        assert_eq!(
            delete(&client, &image).await,
            Ok(Deletion::Deleted),
            "{name}"
        );
        assert!(scopes(&registry).is_empty(), "{name}: it is remembered");
        assert_eq!(registry.requests().len(), 2, "{name}");
    }
}

/// A token server may grant less than it is asked for, without a word.
#[tokio::test]
async fn what_is_granted_without_the_right_is_followed_by_what_the_registry_names() {
    let (registry, image) = registry_of(&["pull", "push"], 403, "push");
    let nothing = Reply::new(200).body(r#"{"token":"nothing"}"#);
    registry.on("GET", "%3Adelete").responds(nothing);
    let client = client_with(&registry, &logged_in(insecure()));
    assert_eq!(delete(&client, &image).await, Ok(Deletion::Deleted));
    let of = |actions: &str| format!("repository:team/app:{actions}");
    assert_eq!(scopes(&registry), [of("pull"), of("delete"), of("push")]);
}

/// cgr.dev answers 403 to a token for something else, and so do registries that cannot ask for another one.
#[tokio::test]
async fn what_is_forbidden_to_a_guess_is_asked_for_again_once() {
    let (registry, image) = registry_of(&["pull", "push"], 403, "push");
    registry
        .on("GET", "%3Adelete")
        .responds(Reply::new(200).body(r#"{"token":"nothing"}"#));
    registry
        .script()
        .when(|request| has_token(request, "nothing"))
        .responds(Reply::error(403, "DENIED", "no"));
    let client = client_with(&registry, &logged_in(insecure()));
    assert_eq!(delete(&client, &image).await, Ok(Deletion::Deleted));

    let (registry, image) = registry_of(&["pull", "push"], 403, "push");
    registry
        .on("DELETE", "/manifests/")
        .responds(Reply::error(403, "DENIED", "no"));
    let client = client_with(&registry, &logged_in(insecure()));
    for _ in 0..3 {
        assert_eq!(delete(&client, &image).await, Err(Kind::AccessDenied));
    }
    let deletes = registry
        .requests()
        .into_iter()
        .filter(|request| request.method == "DELETE");
    assert!(deletes.count() <= 6, "{:?}", registry.requests());
}

/// Pulp 2.30 deletes manifests only.
#[tokio::test]
async fn a_registry_that_deletes_by_digest_only_is_left_alone() {
    for body in [
        r#"{"errors":[{"code":"UNSUPPORTED","message":"manifests can only be deleted by digest"}]}"#,
        r#"{"errors":[{"code":"MANIFEST_INVALID","message":"can only be deleted by digest"}]}"#,
        "manifests can only be deleted by digest",
    ] {
        let (registry, image) = registry_of(&["pull", "push"], 403, "push");
        registry
            .script()
            .when(|request| request.method == "DELETE" && has_token(request, "push"))
            .responds(Reply::new(400).body(body));
        let client = client_with(&registry, &logged_in(insecure()));
        assert_eq!(
            delete(&client, &image).await,
            Ok(Deletion::Unsupported),
            "{body}"
        );
        assert_eq!(registry.tags("team/app"), ["v1"]);
    }
}

/// A registry with an image that wants to see `wanted`, and says so in `challenges`.
fn challenging(challenges: &[&str], wanted: &str) -> FaultRegistry {
    let registry = FaultRegistry::start();
    registry.load("team/app", "v1", &image());
    registry
        .on("GET", "/token")
        .responds(Reply::new(200).body(r#"{"token":"t"}"#));
    let wanted = wanted.to_owned();
    let mut reply = Reply::error(401, "UNAUTHORIZED", "no");
    for challenge in challenges {
        let challenge = challenge.replace("HOST", &registry.host());
        reply = reply.header("www-authenticate", &challenge);
    }
    registry
        .script()
        .when(move |request| {
            request.path.starts_with("/v2/")
                && request.headers.value("authorization") != Some(&wanted)
        })
        .responds(reply);
    registry
}

#[tokio::test]
async fn challenges_as_they_are_written() {
    let (password, token) = (Login::valid().basic(), "Bearer t".to_owned());
    let cases: [(&str, &[&str], &String); 13] = [
        ("a slash without quotes", &["Basic realm=/"], &password),
        ("nothing but the scheme", &["basic"], &password),
        (
            "a relative realm",
            &[r#"Bearer realm="/token",service="s""#],
            &token,
        ),
        (
            "a relative realm without quotes",
            &["Bearer realm=/token,service=s"],
            &token,
        ),
        (
            "no quotes at all",
            &["BEARER Realm=http://HOST/token,Service=HOST,scope=repository:team/app:pull,push"],
            &token,
        ),
        (
            "two schemes in a line",
            &[r#"Basic realm="x", Bearer realm="http://HOST/token""#],
            &token,
        ),
        (
            "two lines",
            &[r#"Basic realm="x""#, r#"Bearer realm="http://HOST/token""#],
            &token,
        ),
        (
            "a token without a realm",
            &["Bearer error=\"invalid_token\"", "Basic realm=\"x\""],
            &password,
        ),
        (
            "a realm that is a name",
            &[r#"Bearer realm="Nexus", Basic realm="Nexus""#],
            &password,
        ),
        (
            "a realm that is a slash",
            &["Bearer realm=/, Basic realm=/"],
            &password,
        ),
        (
            "a realm elsewhere beside a password",
            &[r#"Bearer realm="http://127.0.0.1:1/token""#, "Basic"],
            &password,
        ),
        (
            "the second realm",
            &[r#"Bearer realm="x""#, r#"Bearer realm="/token""#],
            &token,
        ),
        (
            "others first",
            &[
                "Negotiate",
                "NTLM TlRMTVNTUAACAAAA==",
                "Digest realm=x,nonce=\"a, b\"",
                "Basic realm=x",
            ],
            &password,
        ),
    ];
    for (name, challenges, wanted) in cases {
        let registry = challenging(challenges, wanted);
        let client = client_with(&registry, &logged_in(insecure()));
        let found = client.resolve(&repository(), &tag(), None).await;
        assert!(
            found
                .unwrap_or_else(|error| panic!("{name}: {error}"))
                .is_some(),
            "{name}"
        );
    }
}

/// Demands that grow, change or mean something else lead neither to a token that writes nor to many requests.
#[tokio::test]
async fn a_registry_cannot_have_us_ask_for_more() {
    for (place, demanded) in [
        "repository:team/app:pull,push",
        "repository:team/app:*",
        "repository:team/app:delete",
        "repository:other/app:pull",
        "registry:catalog:*",
        "repository:team/app:pull&scope=registry:catalog:*",
        "repository:team/app:pull repository:other:push registry:catalog:*",
    ]
    .into_iter()
    .enumerate()
    {
        let registry = FaultRegistry::start();
        registry
            .on("GET", "/token")
            .responds(Reply::new(200).body(r#"{"token":"t"}"#));
        let challenge = bearer(
            &registry,
            &format!(",scope=\"{demanded}\",error=\"insufficient_scope\""),
        );
        registry.on("*", "/v2/").responds(
            Reply::error(401, "UNAUTHORIZED", "no").header("www-authenticate", &challenge),
        );
        let client = client_with(&registry, &logged_in(insecure()));
        let found = client.resolve(&repository(), &tag(), None).await;
        assert_eq!(kind(found), Err(Kind::AuthenticationFailed), "{demanded}");
        for scope in scopes(&registry) {
            assert_eq!(scope, "repository:team/app:pull", "{demanded}");
        }
        assert!(
            registry.requests().len() <= 8,
            "{place}: {:?}",
            registry.requests()
        );
    }
}

#[tokio::test]
async fn a_registry_that_demands_something_else_each_time_is_left() {
    let registry = FaultRegistry::start();
    registry
        .on("GET", "/token")
        .responds(Reply::new(200).body(r#"{"token":"t"}"#));
    for number in 1..30 {
        let challenge = bearer(
            &registry,
            &format!(",scope=\"repository:p{number}/team/app:pull\""),
        );
        registry.on("*", "/v2/").nth(number).responds(
            Reply::error(401, "UNAUTHORIZED", "no").header("www-authenticate", &challenge),
        );
    }
    let client = client_with(&registry, &logged_in(insecure()));
    let found = client.resolve(&repository(), &tag(), None).await;
    assert_eq!(kind(found), Err(Kind::AuthenticationFailed));
    assert!(registry.requests().len() <= 8, "{:?}", registry.requests());
}

/// A proxy that puts projects in front of names wants tokens for the names that it has.
#[tokio::test]
async fn the_name_that_a_proxy_has_is_asked_for() {
    let registry = FaultRegistry::start();
    registry.load("team/app", "v1", &image());
    let challenge = bearer(&registry, ",scope=\"repository:hub-proxy/team/app:pull\"");
    registry.on("GET", "/token").responds(Reply::new(403));
    registry
        .on("GET", "hub-proxy%2Fteam%2Fapp%3Apull")
        .responds(Reply::new(200).body(r#"{"token":"t"}"#));
    registry
        .script()
        .when(|request| request.path.starts_with("/v2/") && !has_token(request, "t"))
        .responds(Reply::error(401, "UNAUTHORIZED", "no").header("www-authenticate", &challenge));
    let client = client_with(&registry, &logged_in(insecure()));
    let found = client.resolve(&repository(), &tag(), None).await;
    assert!(kind(found).unwrap().is_some());
    let found = client.fetch_manifest(&repository(), &tag()).await;
    assert!(kind(found).is_ok());
    assert_eq!(scopes(&registry).len(), 1);
}

/// Who needs both rights and gets a token for the first only writes without taking over.
#[tokio::test]
async fn a_token_server_that_reads_the_first_scope_only_costs_no_more_than_the_mount() {
    let registry = FaultRegistry::options().token().start();
    let (image, other): (Image, Repository) = (image(), "other/app".parse().unwrap());
    registry.load("team/app", "v1", &image);
    let issuer = registry.token_server().unwrap().issuer();
    let first = issuer
        .issue(&[
            crate::support::credentials::Scope::parse("repository:other/app:pull,push").unwrap(),
        ]);
    registry
        .script()
        .when(|request| request.path == "/token" && request.parameters("scope").len() == 2)
        .does(Action::Respond(
            Reply::new(200).body(format!(r#"{{"token":"{first}"}}"#)),
        ));
    let client = client_with(&registry, &logged_in(insecure()));
    let blob: Digest = digest(&image.blobs[1]);
    let started = client
        .start_upload(&other, &blob, Some(&repository()))
        .await;
    assert!(
        matches!(started, Ok(transship::registry::Upload::Session(_))),
        "{started:?}"
    );
}

/// Every request to any name comes to one server, which is a proxy to the client.
fn through(proxy: &FaultRegistry, settings: Settings) -> Client {
    let settings = Settings {
        proxy: Some(Proxy {
            url: proxy.url(),
            username: None,
            password: None,
        }),
        ..settings
    };
    let registry = "r.test".parse().unwrap();
    Pool::new("transship/test")
        .client(&registry, &settings)
        .unwrap()
}

/// Registries in front of others name the token servers of those. Who has no credential has none to lose.
#[tokio::test]
async fn a_token_server_of_another_domain_is_asked_by_nobody_only() {
    let network = FaultRegistry::start();
    let challenge = r#"Bearer realm="http://auth.other.example/token",service="s""#;
    let digest = format!("sha256:{}", "0".repeat(64));
    network
        .on("GET", "http://auth.other.example/token")
        .responds(Reply::new(200).body(r#"{"token":"t"}"#));
    network.on("*", "http://r.test/v2/").responds(
        Reply::new(200)
            .header("docker-content-digest", &digest)
            .header("content-type", "application/vnd.oci.image.manifest.v1+json"),
    );
    network
        .script()
        .when(|request| request.path.starts_with("http://r.test/") && !has_token(request, "t"))
        .responds(Reply::error(401, "UNAUTHORIZED", "no").header("www-authenticate", challenge));
    let found = through(&network, insecure())
        .resolve(&repository(), &tag(), None)
        .await;
    assert!(kind(found).unwrap().is_some());
    let asked =
        |request: &crate::support::http::script::Recorded| request.path.contains("auth.other");
    let tokens = network.requests().into_iter().filter(asked).count();
    assert_eq!(tokens, 1);

    network.script().clear_requests();
    let found = through(&network, logged_in(insecure()))
        .resolve(&repository(), &tag(), None)
        .await;
    let error = found.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    assert!(!network.requests().iter().any(asked));
    for request in network.requests() {
        assert_eq!(request.headers.value("authorization"), None);
    }
}

/// Some registries answer a HEAD with 401 and nothing else, and say only to a GET, of `/v2/` or of the
/// manifest itself, what they want.
#[tokio::test]
async fn a_challenge_that_a_head_lacks_is_asked_for_with_a_get() {
    let bare = || Reply::new(401);
    for (name, ping) in [
        ("at the version", None),
        ("not at the version", Some(Reply::new(200))),
        ("no version", Some(Reply::new(404))),
        ("nothing at the version either", Some(bare())),
    ] {
        for options in [
            FaultRegistry::options().basic(),
            FaultRegistry::options().token(),
        ] {
            let registry = options.start();
            let image = image();
            registry.load("team/app", "v1", &image);
            let script = registry.script();
            script
                .when(|request| {
                    request.method == "HEAD" && request.headers.value("authorization").is_none()
                })
                .responds(bare());
            if let Some(reply) = ping.clone() {
                script
                    .when(|request| request.path == "/v2/")
                    .responds(reply);
            }
            let client = client_with(&registry, &logged_in(insecure()));
            let found = client.resolve(&repository(), &tag(), None).await;
            let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(found.unwrap().digest, digest(&image.root), "{name}");
            // What was learned is used from then on.
            let asked = registry.requests().len();
            client.resolve(&repository(), &tag(), None).await.unwrap();
            assert_eq!(registry.requests().len(), asked + 1, "{name}");
        }
    }
}
