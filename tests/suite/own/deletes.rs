// SPDX-License-Identifier: Apache-2.0

//! A tag goes by the means of its registry: by its name, while it stands for what is expected, and nothing with it.

use std::sync::Arc;

use serde_json::Value;
use transship::registry::{Credential, Deletion, Kind, Pool};

use super::{Named, delete, image, login};
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

/// Each registry, the path by which it deletes `v1`, and what it answers when that was done.
const REGISTRIES: [(&str, &str, u16); 4] = [
    ("docker.io", "/v2/repositories/team/app/tags/v1/", 204),
    ("ghcr.io", "/versions/", 204),
    ("team.azurecr.io", "/acr/v1/team/app/_tags/v1", 202),
    ("team.azurecr.cn", "/acr/v1/team/app/_tags/v1", 202),
];

fn start(name: &'static str) -> Named {
    Named::start_with(name, FaultRegistry::options().deleting_nothing())
}

#[tokio::test]
async fn a_tag_goes_by_its_name_and_the_others_stay() {
    for (name, path, _) in REGISTRIES {
        let (named, image, other) = (start(name), image(1), image(2));
        named.registry.load("team/app", "v1", &image);
        named.registry.load("team/app", "v2", &other);
        let client = named.client(login());
        assert_eq!(
            delete(&client, &image, &[]).await,
            Ok(Deletion::Deleted),
            "{name}"
        );
        assert_eq!(named.registry.tags("team/app"), ["v2"], "{name}");
        let deletes = named.deletes();
        assert!(
            matches!(&deletes[..], [one] if one.contains(path)),
            "{name}: {deletes:?}"
        );
        assert_eq!(
            delete(&client, &image, &[]).await,
            Ok(Deletion::Missing),
            "{name}"
        );
        assert_eq!(
            named.deletes().len(),
            1,
            "{name}: what is gone is not deleted"
        );
        let is_by_digest = |write: &String| write.contains("/manifests/");
        assert!(!named.writes().iter().any(is_by_digest), "{name}");
    }
}

#[tokio::test]
async fn a_tag_that_stands_for_something_else_by_now_is_not_touched() {
    for (name, _, _) in REGISTRIES {
        let (named, image, other) = (start(name), image(1), image(2));
        named.registry.load("team/app", "v1", &other);
        let found = delete(&named.client(login()), &image, &[]).await;
        assert_eq!(found, Ok(Deletion::Moved), "{name}");
        assert!(named.writes().is_empty(), "{name}: {:?}", named.writes());
    }
}

#[tokio::test]
async fn every_answer_has_its_outcome() {
    let cases: [(&str, Action, Kind); 8] = [
        (
            "401",
            Action::Respond(Reply::new(401).header("www-authenticate", "Basic realm=\"r\"")),
            Kind::AuthenticationFailed,
        ),
        ("403", bare(403), Kind::AccessDenied),
        ("404 for what is there", bare(404), Kind::NotFound),
        ("405", bare(405), Kind::Rejected),
        ("400", bare(400), Kind::Rejected),
        ("409", bare(409), Kind::Rejected),
        (
            "a redirect",
            Action::Respond(Reply::new(307).header("location", "/v2/team/app/manifests/v2")),
            Kind::Refused,
        ),
        ("500 for good", bare(500), Kind::Unreachable),
    ];
    for (name, path, _) in REGISTRIES {
        for (what, fault, expected) in &cases {
            let (named, image) = (start(name), image(1));
            named.registry.load("team/app", "v1", &image);
            named.registry.on("DELETE", path).does(fault.clone());
            let found = delete(&named.client(login()), &image, &[]).await;
            let kind = found.unwrap_err().0;
            let is_redirect = *what == "a redirect";
            assert!(
                kind == *expected || is_redirect && kind == Kind::Protocol,
                "{name} {what}: {kind:?}"
            );
            assert_eq!(named.registry.tags("team/app"), ["v1"], "{name} {what}");
            let elsewhere = |write: &String| !write.contains(path);
            assert!(
                !named.deletes().iter().any(elsewhere),
                "{name} {what}: nothing is tried in its place"
            );
        }
    }
}

#[tokio::test]
async fn trouble_on_the_way_is_overcome() {
    for (name, path, done) in REGISTRIES {
        let cases: [(&str, Action); 6] = [
            ("500, then fine", bare(500)),
            (
                "429, then fine",
                Action::Respond(Reply::new(429).header("retry-after", "0")),
            ),
            ("reset before the effect", Action::Close),
            ("reset after the effect", Action::CommitThenClose),
            ("500 after the effect", Action::CommitThen(Reply::new(500))),
            ("done, said twice", Action::CommitThen(Reply::new(done))),
        ];
        for (what, fault) in cases {
            let (named, image) = (start(name), image(1));
            named.registry.load("team/app", "v1", &image);
            named.registry.on("DELETE", path).nth(1).does(fault);
            let found = delete(&named.client(login()), &image, &[]).await;
            assert_eq!(found, Ok(Deletion::Deleted), "{name} {what}");
            assert!(named.registry.tags("team/app").is_empty(), "{name} {what}");
        }
    }
}

#[tokio::test]
async fn a_tag_that_is_pushed_anew_between_two_tries_is_not_touched() {
    for (name, path, _) in REGISTRIES {
        let (named, image, other, gate) = (start(name), image(1), image(2), Gate::closed());
        named.registry.load("team/app", "v1", &image);
        named
            .registry
            .on("DELETE", path)
            .nth(1)
            .does(Action::CommitThen(Reply::new(500)));
        // Two looks come before the first try, one before the second.
        named
            .registry
            .on("HEAD", "/manifests/")
            .nth(3)
            .does(Action::Hold(gate.clone()));
        let client = named.client(login());
        let (found, ()) = tokio::join!(delete(&client, &image, &[]), async {
            gate.reached().await;
            named.registry.load("team/app", "v1", &other);
            gate.open();
        });
        assert_eq!(found, Ok(Deletion::Moved), "{name}");
        assert_eq!(named.registry.tags("team/app"), ["v1"], "{name}");
        assert_eq!(named.deletes().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn without_the_right_credential_nothing_is_deleted_and_the_message_names_it() {
    let wanted = [
        ("docker.io", "a user name and a password or access token"),
        ("ghcr.io", "read:packages and delete:packages"),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "provider: AWS",
        ),
        ("public.ecr.aws", "provider: AWS"),
    ];
    for (name, words) in wanted {
        let (named, image) = (start(name), image(1));
        named.registry.load("team/app", "v1", &image);
        let credential = if name.contains("ecr") {
            login()
        } else {
            Credential::Anonymous
        };
        let (kind, message) = delete(&named.client(credential), &image, &[])
            .await
            .unwrap_err();
        assert_eq!(kind, Kind::AccessDenied, "{name}");
        assert!(message.contains(words), "{name}: {message}");
        assert!(named.writes().is_empty(), "{name}: {:?}", named.writes());
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    for name in ["docker.io", "ghcr.io"] {
        let (named, image) = (start(name), image(1));
        named.registry.load("team/app", "v1", &image);
        let Login { username, password } = Login::wrong();
        let wrong = Credential::Basic {
            username,
            password: password.into(),
        };
        let (kind, message) = delete(&named.client(wrong), &image, &[]).await.unwrap_err();
        assert_eq!(kind, Kind::AuthenticationFailed, "{name}: {message}");
        assert!(!message.contains("guessed"), "{message}");
        assert!(named.deletes().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_login_at_docker_hub_lasts_and_is_renewed_when_it_is_refused() {
    let (named, image) = (start("docker.io"), image(1));
    let client = named.client(login());
    for _ in 0..3 {
        named.registry.load("team/app", "v1", &image);
        assert_eq!(delete(&client, &image, &[]).await, Ok(Deletion::Deleted));
    }
    let logins = |named: &Named| {
        let writes = named.writes();
        writes
            .iter()
            .filter(|write| *write == "POST /v2/auth/token")
            .count()
    };
    assert_eq!(logins(&named), 1);
    named.registry.load("team/app", "v1", &image);
    named
        .registry
        .on("DELETE", "/tags/v1")
        .nth(1)
        .does(bare(401));
    let found = delete(&client, &image, &[]).await;
    assert_eq!(found.unwrap_err().0, Kind::AuthenticationFailed);
    assert_eq!(delete(&client, &image, &[]).await, Ok(Deletion::Deleted));
    assert_eq!(logins(&named), 2);
}

#[tokio::test]
async fn a_version_of_github_goes_only_where_all_of_its_tags_may_go() {
    let (named, image) = (start("ghcr.io"), image(1));
    for tag in ["v1", "v1.0", "latest"] {
        named.registry.load("team/app", tag, &image);
    }
    let client = named.client(login());
    for also in [&[][..], &["v1.0"], &["other"], &["v1.0", "other"]] {
        assert_eq!(
            delete(&client, &image, also).await,
            Ok(Deletion::Shared),
            "{also:?}"
        );
    }
    assert!(named.deletes().is_empty());
    assert_eq!(named.registry.tags("team/app"), ["latest", "v1", "v1.0"]);
    let found = delete(&client, &image, &["v1.0", "latest"]).await;
    assert_eq!(found, Ok(Deletion::Deleted));
    assert!(named.registry.tags("team/app").is_empty());
    assert_eq!(named.deletes().len(), 1);
}

#[tokio::test]
async fn a_version_of_which_github_does_not_tell_the_tags_stays() {
    let cases = [
        ("no metadata", "{}"),
        (
            "none of a container",
            r#"{"metadata": {"package_type": "container"}}"#,
        ),
        ("no tags", r#"{"metadata": {"container": {}}}"#),
        ("null", r#"{"metadata": {"container": {"tags": null}}}"#),
        (
            "an empty list",
            r#"{"metadata": {"container": {"tags": []}}}"#,
        ),
        (
            "another tag",
            r#"{"metadata": {"container": {"tags": ["v1.0"]}}}"#,
        ),
    ];
    for (what, said) in cases {
        let (named, image) = (start("ghcr.io"), image(1));
        for tag in ["v1", "v1.0"] {
            named.registry.load("team/app", tag, &image);
        }
        let mut version: Value = serde_json::from_str(said).unwrap();
        version["id"] = 1.into();
        version["name"] = image.digest().into();
        named
            .registry
            .on("GET", "/versions/")
            .responds(Reply::json(200, &version));
        let found = delete(&named.client(login()), &image, &["v1.0"]).await;
        let (kind, message) = found.unwrap_err();
        assert_eq!(kind, Kind::Protocol, "{what}: {message}");
        assert!(named.deletes().is_empty(), "{what}");
        assert_eq!(named.registry.tags("team/app"), ["v1", "v1.0"], "{what}");
    }
}

#[tokio::test]
async fn a_version_that_gets_another_tag_meanwhile_stays() {
    let (named, image, gate) = (start("ghcr.io"), image(1), Gate::closed());
    named.registry.load("team/app", "v1", &image);
    named
        .registry
        .script()
        .when(|request| request.path.contains("/versions/"))
        .nth(1)
        .does(Action::Hold(gate.clone()));
    let client = named.client(login());
    let (found, ()) = tokio::join!(delete(&client, &image, &[]), async {
        gate.reached().await;
        named.registry.load("team/app", "stable", &image);
        gate.open();
    });
    assert_eq!(found, Ok(Deletion::Shared));
    assert_eq!(named.registry.tags("team/app"), ["stable", "v1"]);
}

#[tokio::test]
async fn versions_are_found_page_by_page_and_once() {
    let options = FaultRegistry::options().deleting_nothing().page_size(3);
    let named = Named::start_with("ghcr.io", options);
    for seed in 2..12 {
        named
            .registry
            .load("octocat/app", &format!("t{seed}"), &image(seed));
    }
    let client = named.client(login());
    let repository = "octocat/app".parse().unwrap();
    for seed in 2..12 {
        let (tag, expected) = (super::tag(&format!("t{seed}")), super::digest(&image(seed)));
        let deleted = client
            .delete_tag(&repository, &tag, &expected, &[], None)
            .await;
        assert_eq!(deleted.unwrap(), Deletion::Deleted, "{seed}");
    }
    assert!(named.registry.tags("octocat/app").is_empty());
    let requests = named.registry.requests();
    let count = |path: &str| {
        requests
            .iter()
            .filter(|one| one.path.ends_with(path))
            .count()
    };
    assert_eq!(count("/users/octocat"), 1, "who the owner is");
    assert!(count("/versions") <= 8, "{}", count("/versions"));
    let of_user = |path: &str| path.starts_with("/users/octocat/packages/container/app/");
    assert!(
        named
            .deletes()
            .iter()
            .all(|write| of_user(write.trim_start_matches("DELETE ")))
    );
}

#[tokio::test]
async fn a_name_with_slashes_is_one_package() {
    let (named, image) = (start("ghcr.io"), image(1));
    named.registry.load("team/charts/app", "v1", &image);
    let repository = "team/charts/app".parse().unwrap();
    let client = named.client(login());
    let deleted = client
        .delete_tag(
            &repository,
            &super::tag("v1"),
            &super::digest(&image),
            &[],
            None,
        )
        .await;
    assert_eq!(deleted.unwrap(), Deletion::Deleted);
    let asked = named.deletes();
    assert!(
        asked[0].starts_with("DELETE /orgs/team/packages/container/charts%2Fapp/versions/"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_list_of_versions_without_end_is_given_up() {
    let (named, image) = (start("ghcr.io"), image(1));
    named.registry.load("team/app", "v1", &image);
    let page = r#"[{"id": 1, "name": "sha256:0000000000000000000000000000000000000000000000000000000000000000"}]"#;
    let endless = |next: &str| {
        Reply::new(200)
            .header("content-type", "application/json")
            .header(
                "link",
                &format!("<https://api.github.com/x?page={next}>; rel=\"next\""),
            )
            .body(page.to_owned())
    };
    named
        .registry
        .on("GET", "/versions?")
        .responds(endless("2"));
    let (kind, message) = delete(&named.client(login()), &image, &[])
        .await
        .unwrap_err();
    assert_eq!(kind, Kind::Protocol, "{message}");
    assert!(message.contains("have no end"), "{message}");
    assert!(named.deletes().is_empty());
}

#[tokio::test]
async fn without_the_lease_nothing_is_asked_that_deletes() {
    for (name, _, _) in REGISTRIES {
        let (named, image) = (start(name), image(1));
        named.registry.load("team/app", "v1", &image);
        let pool = Pool::builder("transship/test")
            .write_guard(Arc::new(|| false))
            .build();
        let (kind, _) = delete(&named.client_of(&pool, login()), &image, &[])
            .await
            .unwrap_err();
        assert_eq!(kind, Kind::Interrupted, "{name}");
        assert!(named.writes().is_empty(), "{name}");
    }
}

fn bare(status: u16) -> Action {
    Action::Respond(Reply::new(status))
}
