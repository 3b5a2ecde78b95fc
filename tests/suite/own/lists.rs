// SPDX-License-Identifier: Apache-2.0

//! Repositories of a namespace where there is no catalog.

use serde_json::json;
use transship::registry::{Credential, Kind};

use super::{Named, image, login};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

/// Each registry, with a part of the path that lists its repositories, and whether it tells everybody.
const REGISTRIES: [(&str, &str, bool); 5] = [
    ("docker.io", "/v2/namespaces/team/repositories", true),
    ("ghcr.io", "/orgs/team/packages", false),
    ("quay.io", "/api/v1/repository", true),
    ("harbor.test", "/api/v2.0/projects/team/repositories", false),
    (
        "registry.gitlab.test",
        "/api/v4/groups/team/registry/repositories",
        false,
    ),
];

/// A registry with seven repositories in the namespace, three on a page, and others.
fn start(name: &'static str) -> Named {
    let named = Named::start_with(name, FaultRegistry::options().page_size(3));
    for number in 0..7 {
        named
            .registry
            .load(&format!("team/app{number}"), "v1", &image(number));
    }
    named.registry.load("teams/app", "v1", &image(1));
    let no_catalog = match name {
        "harbor.test" => bearer("https://harbor.test/service/token", "harbor-registry"),
        "registry.gitlab.test" => bearer("https://gitlab.test/jwt/auth", "container_registry"),
        _ => Reply::error(401, "UNAUTHORIZED", "no"),
    };
    if matches!(name, "harbor.test" | "registry.gitlab.test") {
        named
            .registry
            .script()
            .when(|request| request.path == "/v2/")
            .responds(no_catalog);
        named
            .registry
            .on("GET", "/v2/_catalog")
            .responds(Reply::error(403, "DENIED", "no"));
    }
    named
}

fn bearer(realm: &str, service: &str) -> Reply {
    let challenge = format!("Bearer realm=\"{realm}\",service=\"{service}\"");
    Reply::error(401, "UNAUTHORIZED", "no").header("www-authenticate", &challenge)
}

async fn list(
    named: &Named,
    namespace: Option<&str>,
    credential: Credential,
) -> Result<Vec<String>, (Kind, String)> {
    let client = named.client(credential);
    let listed = client
        .list_repositories_matching(namespace, |name| name.as_str().starts_with("team/"))
        .await;
    let listed = listed.map_err(|error| (error.kind(), error.to_string()))?;
    Ok(listed.iter().map(ToString::to_string).collect())
}

fn credential(is_public: bool) -> Credential {
    if is_public {
        Credential::Anonymous
    } else {
        login()
    }
}

#[tokio::test]
async fn all_pages_of_a_namespace_are_read() {
    let expected: Vec<String> = (0..7).map(|number| format!("team/app{number}")).collect();
    for (name, path, is_public) in REGISTRIES {
        let named = start(name);
        let listed = list(&named, Some("team"), credential(is_public)).await;
        assert_eq!(listed, Ok(expected.clone()), "{name}");
        let requests = named.registry.requests();
        let pages = requests
            .iter()
            .filter(|one| one.path.starts_with(path))
            .count();
        assert_eq!(pages, 3, "{name}");
        let strays = |host: &str| !["evil.test"].contains(&host);
        assert!(
            requests
                .iter()
                .filter_map(|one| one.headers.value("host"))
                .all(strays)
        );
    }
}

#[tokio::test]
async fn a_cursor_that_lies_and_a_list_without_end_are_given_up() {
    for (name, path, is_public) in REGISTRIES {
        let named = start(name);
        let body = match name {
            "docker.io" => {
                r#"{"next": "https://hub.docker.com/x?page=2", "results": [{"namespace": "team", "name": "a"}]}"#
            }
            "quay.io" => {
                r#"{"next_page": "2", "repositories": [{"namespace": "team", "name": "a"}]}"#
            }
            "registry.gitlab.test" => r#"[{"path": "team/a"}]"#,
            "ghcr.io" => r#"[{"name": "a"}]"#,
            _ => r#"[{"name": "team/a"}]"#,
        };
        let same = Reply::new(200)
            .header("content-type", "application/json")
            .header("link", "</x?page=2>; rel=\"next\"")
            .body(body);
        named.registry.on("GET", path).responds(same);
        let (kind, message) = list(&named, Some("team"), credential(is_public))
            .await
            .unwrap_err();
        assert_eq!(kind, Kind::Protocol, "{name}: {message}");
        assert!(message.contains("have no end"), "{name}: {message}");
    }
}

#[tokio::test]
async fn a_next_page_that_cannot_be_found_is_told() {
    for next in [
        "https://[",
        "http://",
        "https://hub.docker.com:port/x?page=2",
    ] {
        let named = start("docker.io");
        let page = json!({"next": next, "results": [{"namespace": "team", "name": "a"}]});
        named
            .registry
            .on("GET", "/v2/namespaces/team/repositories")
            .responds(Reply::json(200, &page));
        let listed = list(&named, Some("team"), Credential::Anonymous).await;
        let (kind, message) = listed.unwrap_err();
        assert_eq!(kind, Kind::Protocol, "{next}: {message}");
        assert!(message.contains("is no URL"), "{next}: {message}");
    }
}

#[tokio::test]
async fn every_answer_has_its_outcome() {
    let cases: [(&str, Action, Option<Kind>); 6] = [
        ("429, then fine", respond(429), None),
        ("500, then fine", respond(500), None),
        ("reset, then fine", Action::Close, None),
        ("401", respond(401), Some(Kind::AuthenticationFailed)),
        ("403", respond(403), Some(Kind::AccessDenied)),
        ("404", respond(404), Some(Kind::NotFound)),
    ];
    for (name, path, is_public) in REGISTRIES {
        for (what, fault, expected) in &cases {
            let named = start(name);
            named.registry.on("GET", path).nth(2).does(fault.clone());
            let listed = list(&named, Some("team"), credential(is_public)).await;
            match (expected, listed) {
                (None, listed) => assert_eq!(listed.map(|all| all.len()), Ok(7), "{name} {what}"),
                // What the catalog said is told where both refuse.
                (Some(_), Err((kind, _))) if path.contains("/api/v") => assert!(
                    matches!(
                        kind,
                        Kind::AccessDenied | Kind::AuthenticationFailed | Kind::NotFound
                    ),
                    "{name} {what}: {kind:?}"
                ),
                (Some(expected), listed) => {
                    assert_eq!(listed.unwrap_err().0, *expected, "{name} {what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_list_is_told() {
    for (name, path, is_public) in REGISTRIES {
        let named = start(name);
        named
            .registry
            .on("GET", path)
            .responds(Reply::new(200).body("{\"a\": [1]}"));
        let (kind, message) = list(&named, Some("team"), credential(is_public))
            .await
            .unwrap_err();
        assert_eq!(kind, Kind::Protocol, "{name}");
        assert!(
            message.contains("not of the expected form"),
            "{name}: {message}"
        );
    }
}

#[tokio::test]
async fn without_a_namespace_or_a_token_the_message_says_what_is_needed() {
    for (name, namespace, words) in [
        ("docker.io", None, "begin the glob with its name"),
        ("ghcr.io", None, "begin the glob with its name"),
        ("ghcr.io", Some("team"), "read:packages"),
    ] {
        let named = start(name);
        let (kind, message) = list(&named, namespace, Credential::Anonymous)
            .await
            .unwrap_err();
        assert_eq!(kind, Kind::AccessDenied);
        assert!(message.contains(words), "{message}");
        assert!(named.registry.requests().is_empty());
    }
}

#[tokio::test]
async fn a_password_goes_to_no_token_server_of_somebody_else() {
    for (name, challenge) in [
        (
            "harbor.test",
            bearer("https://gitlab.test/service/token", "harbor-registry"),
        ),
        (
            "harbor.test",
            bearer("https://gitlab.test/jwt/auth", "container_registry"),
        ),
        ("harbor.test", bearer("https://harbor.test/token", "other")),
    ] {
        let named = start(name);
        named.registry.script().clear_rules();
        named
            .registry
            .script()
            .when(|request| request.path == "/v2/")
            .responds(challenge);
        named
            .registry
            .on("GET", "/v2/_catalog")
            .responds(Reply::error(403, "DENIED", "no"));
        let (kind, _) = list(&named, Some("team"), login()).await.unwrap_err();
        assert_eq!(kind, Kind::AccessDenied);
        let requests = named.registry.requests();
        let tells = requests
            .iter()
            .any(|one| one.headers.value("authorization").is_some());
        assert!(!tells, "nobody was told who asks");
    }
}

fn respond(status: u16) -> Action {
    Action::Respond(Reply::new(status).header("retry-after", "0"))
}
