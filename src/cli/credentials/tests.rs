// SPDX-License-Identifier: Apache-2.0

//! Files in a directory of their own, and a helper that is a real program.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A directory with everything that a person may have.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(self, path: &str, content: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// The locations of a person who set no variable.
    fn locations(&self) -> Locations {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/credentials/fixtures");
        let inherited = std::env::var_os("PATH").unwrap();
        let directories = [fixtures]
            .into_iter()
            .chain(std::env::split_paths(&inherited));
        Locations {
            home: Some(self.path("home")),
            podman_runtime: Some(self.path("run/containers")),
            podman_config: Some(self.path("home/.config/containers")),
            search_path: Some(std::env::join_paths(directories).unwrap()),
            ..Locations::default()
        }
    }

    /// What is found for a repository, or the message without the name of this directory.
    async fn find(&self, locations: &Locations, registry: &str) -> String {
        let found = async {
            let credentials = Credentials::load(locations).await?;
            let repository = "team/a".parse().unwrap();
            credentials
                .find(&registry.parse().unwrap(), Some(&repository))
                .await
        };
        match found.await {
            Ok(credential) => show(&credential),
            Err(error) => error
                .to_string()
                .replace(self.0.path().to_str().unwrap(), ""),
        }
    }
}

fn show(credential: &Credential) -> String {
    match credential {
        Credential::Anonymous => "anonymous".to_owned(),
        Credential::Basic { username, password } => {
            format!("{username}:{}", password.expose_secret())
        }
        Credential::IdentityToken { username, token } => {
            format!("identity {username}:{}", token.expose_secret())
        }
        Credential::RegistryToken(token) => format!("token {}", token.expose_secret()),
        Credential::Issued(issuer) => format!("{issuer:?}"),
    }
}

fn logins(pairs: &[(&str, &str)]) -> String {
    let auths: Value = pairs
        .iter()
        .map(|(host, pair)| ((*host).to_owned(), json!({"auth": STANDARD.encode(pair)})))
        .collect();
    json!({ "auths": auths }).to_string()
}

#[tokio::test]
async fn files_in_the_order_in_which_they_count() {
    let home = Home::new()
        .file(
            "home/.docker/config.json",
            &logins(&[("a.test", "docker:1")]),
        )
        .file(
            "run/containers/auth.json",
            &logins(&[("a.test", "podman:2"), ("b.test", "podman:3")]),
        )
        .file("other/config.json", &logins(&[("a.test", "other:4")]))
        .file("file.json", &logins(&[("a.test", "file:5")]));
    let home = home.file(
        "home/.config/containers/auth.json",
        &logins(&[("b.test", "kept:6"), ("d.test", "kept:7")]),
    );
    let usual = home.locations();
    let with_variable = Locations {
        auth_config: Some(logins(&[("a.test", "ci:8")]).into()),
        ..usual.clone()
    };
    let with_empty_variable = Locations {
        auth_config: Some(" ".into()),
        ..usual.clone()
    };
    let with_both = Locations {
        registry_auth_file: Some(home.path("file.json")),
        ..with_variable.clone()
    };
    let with_directory = Locations {
        docker_config: Some(home.path("other")),
        ..usual.clone()
    };
    let with_file = Locations {
        registry_auth_file: Some(home.path("file.json")),
        ..with_directory.clone()
    };
    let without_files = Locations {
        docker_config: Some(home.path("none")),
        ..Locations::default()
    };
    let cases = [
        ("docker first", &usual, "a.test", "docker:1"),
        ("then podman", &usual, "b.test", "podman:3"),
        ("then what podman keeps", &usual, "d.test", "kept:7"),
        ("neither", &usual, "c.test", "anonymous"),
        (
            "the environment before all files",
            &with_variable,
            "a.test",
            "ci:8",
        ),
        (
            "files after the environment",
            &with_variable,
            "b.test",
            "podman:3",
        ),
        (
            "nothing in the environment",
            &with_empty_variable,
            "a.test",
            "docker:1",
        ),
        ("the file and nothing else", &with_both, "a.test", "file:5"),
        ("another directory", &with_directory, "a.test", "other:4"),
        ("only the file", &with_file, "b.test", "anonymous"),
        ("the file", &with_file, "a.test", "file:5"),
        ("no files", &without_files, "a.test", "anonymous"),
        (
            "no directories",
            &Locations::default(),
            "a.test",
            "anonymous",
        ),
    ];
    for (name, locations, registry, expected) in cases {
        assert_eq!(home.find(locations, registry).await, expected, "{name}");
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let home = Home::new()
        .file("broken.json", "{\"auths\": [\"canary\"]}")
        .file("bad.json", r#"{"auths": {"a.test": {"auth": "canary!"}}}"#)
        .file(
            "large.json",
            &" ".repeat(docker_config::BYTES + 1).replacen(' ', "{", 1),
        )
        .file("empty.json", "\n");
    let cases = [
        (
            "missing.json",
            "cannot read the credentials in /missing.json: No such file or directory (os error 2)",
        ),
        (
            "",
            "cannot read the credentials in /: Is a directory (os error 21)",
        ),
        (
            "broken.json",
            "/broken.json is not the JSON of a Docker config: see line 1, column 10",
        ),
        (
            "bad.json",
            "/bad.json has a credential for \"a.test\" that is not base64 of a text (field `auth`): log in again or repair it",
        ),
        ("large.json", "/large.json has more than 1048576 bytes"),
        ("empty.json", "anonymous"),
    ];
    for (file, expected) in cases {
        let registry_auth_file = Some(home.path(file));
        let locations = Locations {
            registry_auth_file,
            ..home.locations()
        };
        assert_eq!(home.find(&locations, "a.test").await, expected);
    }
}

#[tokio::test]
async fn helpers_and_files_in_the_order_in_which_they_count() {
    let config = json!({
        "auths": {
            "found.test:5000": {"auth": STANDARD.encode("file:1")},
            "unknown.test": {"auth": STANDARD.encode("file:2")},
            "identity.test": {},
            "a.test": {"auth": STANDARD.encode("file:3")},
        },
        "credHelpers": {"found.test:5000": "lab", "unknown.test": "lab"},
        "credsStore": "lab",
    });
    let home = Home::new().file("home/.docker/config.json", &config.to_string());
    let cases = [
        ("helper of the registry", "found.test:5000", "me:p:w"),
        ("it does not know", "unknown.test", "file:2"),
        ("file", "a.test", "file:3"),
        ("helper of all", "identity.test", "identity <token>:it"),
        ("docker hub", "docker.io", "hub:pw"),
        ("helper without an answer", "empty.test", "anonymous"),
    ];
    for (name, registry, expected) in cases {
        assert_eq!(
            home.find(&home.locations(), registry).await,
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn helpers_that_fail_are_named() {
    let mut messages = Vec::new();
    for (registry, helper) in [
        ("locked.test", "lab"),
        ("leaky.test", "lab"),
        ("silent.test", "lab"),
        ("garbage.test", "lab"),
        ("endless.test", "lab"),
        ("a.test", "../lab"),
    ] {
        let config = json!({ "credsStore": helper }).to_string();
        let home = Home::new().file("home/.docker/config.json", &config);
        messages.push(home.find(&home.locations(), registry).await);
    }
    let messages = messages.join("\n");
    assert!(!messages.contains("canary"), "{messages}");
    insta::assert_snapshot!(messages, @r"
    docker-credential-lab, which /home/.docker/config.json names for locked.test, failed: the keychain is [31mlocked
    docker-credential-lab, which /home/.docker/config.json names for leaky.test, failed: exit status: 1
    docker-credential-lab, which /home/.docker/config.json names for silent.test, failed: exit status: 3
    docker-credential-lab, which /home/.docker/config.json names for garbage.test, gave an answer that is not JSON with `Username` and `Secret`
    docker-credential-lab, which /home/.docker/config.json names for endless.test, gave an answer of more than 65536 bytes
    docker-credential-../lab, which /home/.docker/config.json names for a.test, is not the name of a program: expected letters, digits, '.', '_' and '-'
    ");
}

/// What is public needs no credential, and another place may have one.
#[tokio::test]
async fn a_helper_that_is_not_installed_has_nothing() {
    let a = STANDARD.encode("file:1");
    let config = json!({
        "auths": {"a.test": {"auth": a}},
        "credHelpers": {"a.test": "none", "c.test": "none", "d.test": ""},
        "credsStore": "none",
    });
    let home = Home::new()
        .file("home/.docker/config.json", &config.to_string())
        .file(
            "run/containers/auth.json",
            &logins(&[("b.test", "podman:2")]),
        );
    let cases = [
        ("for one registry, and an entry", "a.test", "file:1"),
        ("for all registries, and another file", "b.test", "podman:2"),
        ("for one registry", "c.test", "anonymous"),
        ("none at all", "d.test", "anonymous"),
        ("for all registries", "e.test", "anonymous"),
    ];
    for (name, registry, expected) in cases {
        let found = home.find(&home.locations(), registry).await;
        assert_eq!(found, expected, "{name}");
    }
}

/// `credHelpers` without a name means the file, and not the helper for all registries.
#[tokio::test]
async fn a_helper_without_a_name_is_not_replaced_by_the_one_for_all() {
    let config = json!({"credHelpers": {"identity.test": ""}, "credsStore": "lab"});
    let home = Home::new().file("home/.docker/config.json", &config.to_string());
    let found = home.find(&home.locations(), "identity.test").await;
    assert_eq!(found, "anonymous");
    assert_eq!(home.find(&home.locations(), "docker.io").await, "hub:pw");
}

#[tokio::test]
async fn a_broken_config_in_the_environment_is_named_and_not_quoted() {
    let home = Home::new();
    let locations = Locations {
        auth_config: Some(r#"{"auths": {"canary.test": {"auth": canary}}}"#.into()),
        ..home.locations()
    };
    assert!(!format!("{locations:?}").contains("canary"));
    let message = home.find(&locations, "a.test").await;
    insta::assert_snapshot!(message, @"DOCKER_AUTH_CONFIG is not the JSON of a Docker config: see line 1, column 36");
}

#[tokio::test]
async fn who_is_redirected_is_given_what_is_kept_for_the_other_registry() {
    let config = json!({
        "auths": {"a.test": {"auth": STANDARD.encode("file:1")}, "b.test": {"auth": "canary!"}},
    });
    let home = Home::new().file("home/.docker/config.json", &config.to_string());
    let credentials = Credentials::load(&home.locations()).await.unwrap();
    let keyring: &dyn Keyring = &credentials;
    let repository = "team/a".parse().unwrap();
    for (registry, expected) in [
        ("a.test", "file:1"),
        ("b.test", "anonymous"),
        ("c.test", "anonymous"),
    ] {
        let found = keyring.find(&registry.parse().unwrap(), &repository).await;
        assert_eq!(show(&found), expected, "{registry}");
    }
}

#[tokio::test]
async fn a_helper_is_asked_once_for_all_repositories_of_a_registry() {
    let home = Home::new().file("home/.docker/config.json", r#"{"credsStore": "lab"}"#);
    let credentials = Credentials::load(&home.locations()).await.unwrap();
    let registry = "fresh.test".parse().unwrap();
    let (a, b) = ("team/a".parse().unwrap(), "team/b".parse().unwrap());
    let found = futures::future::join_all(
        [Some(&a), Some(&b), None].map(|repository| credentials.find(&registry, repository)),
    );
    let found: Vec<String> = found
        .await
        .iter()
        .map(|found| show(found.as_ref().unwrap()))
        .collect();
    // The helper gives out another secret each time that it is run.
    assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
}

/// The clock of the test stands still until all tasks wait, so that nobody waits for the helper.
#[tokio::test(start_paused = true)]
async fn a_helper_that_does_not_answer_is_not_waited_for() {
    let registry: Registry = "deaf.test".parse().unwrap();
    let locations = Home::new().locations();
    let helper = Helper {
        name: "lab",
        search_path: locations.search_path.as_deref(),
    };
    let answer = helper.get(&registry).await;
    assert!(matches!(answer, Err(HelperError::TooSlow)), "{answer:?}");
}
