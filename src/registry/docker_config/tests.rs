// SPDX-License-Identifier: Apache-2.0

//! Configs as Docker, Podman and Kubernetes write them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::key::label_matches;
use super::*;

/// A config with these values under `auths`.
fn config(auths: &Value) -> DockerConfig {
    DockerConfig::parse(json!({ "auths": auths }).to_string().as_bytes()).unwrap()
}

/// An entry as `docker login` writes it.
fn login(pair: &str) -> Value {
    json!({ "auth": STANDARD.encode(pair) })
}

fn find(config: &DockerConfig, registry: &str, repository: &str) -> String {
    let found = config.credential(
        &registry.parse().unwrap(),
        Some(&repository.parse().unwrap()),
    );
    match found {
        Ok(None) => "none".to_owned(),
        Ok(Some(credential)) => show(&credential),
        Err(error) => error.to_string(),
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

#[test]
fn entries_in_every_form() {
    let uuid = "00000000-0000-0000-0000-000000000000";
    let bad = |what: &str| {
        format!("has a credential for \"r.test\" that {what}: log in again or repair it")
    };
    let not_base64 = bad("is not base64 of a text (field `auth`)");
    let cases = [
        ("docker login", login("me:pw"), "me:pw"),
        ("colons in the password", login("me:p:w:"), "me:p:w:"),
        ("zero bytes", login("me:pw\0\0"), "me:pw"),
        ("zero bytes around", login("me:\0pw\0"), "me:pw"),
        ("no password", login("me:"), "me:"),
        ("no padding", json!({"auth": "bWU6cHc"}), "me:pw"),
        ("white space", json!({"auth": " bWU6cHc=\n"}), "me:pw"),
        ("line breaks", json!({"auth": "bWU6\r\ncH\nc=\n"}), "me:pw"),
        ("bits behind the end", json!({"auth": "bWU6cHd="}), "me:pw"),
        ("names in capitals", json!({"Auth": "bWU6cHc="}), "me:pw"),
        (
            "names in capitals, a token",
            json!({"IdentityToken": "it", "UserName": "me"}),
            "identity me:it",
        ),
        ("null", Value::Null, "none"),
        (
            "fields of other types that nobody reads",
            json!({"auth": "bWU6cHc=", "email": 7}),
            "me:pw",
        ),
        (
            "separate fields",
            json!({"username": "me", "password": "pw"}),
            "me:pw",
        ),
        (
            "both",
            json!({"auth": "bWU6cHc=", "username": "x", "password": "y"}),
            "me:pw",
        ),
        (
            "identity token",
            json!({"auth": "bWU6", "identitytoken": "it"}),
            "identity me:it",
        ),
        (
            "identity token by name",
            login("<token>:it"),
            "identity <token>:it",
        ),
        (
            "identity token of Azure",
            login(&format!("{uuid}:it")),
            &format!("identity {uuid}:it"),
        ),
        ("registry token", json!({"registrytoken": "rt"}), "token rt"),
        (
            "unknown fields",
            json!({"email": "x", "auth": "bWU6cHc="}),
            "me:pw",
        ),
        ("left behind by a helper", json!({}), "none"),
        (
            "empty fields",
            json!({"auth": "", "username": "", "password": null}),
            "none",
        ),
        ("not base64", json!({"auth": "canary!"}), &not_base64),
        ("not a text", json!({"auth": "/////w=="}), &not_base64),
        (
            "no colon",
            json!({"auth": "bWU="}),
            &bad("has no colon between user name and password (field `auth`)"),
        ),
        (
            "line break in a token",
            json!({"registrytoken": "a\nb"}),
            &bad("is no token (field `registrytoken`)"),
        ),
    ];
    for (name, entry, expected) in cases {
        let config = config(&json!({ "r.test": entry }));
        assert_eq!(find(&config, "r.test", "a"), expected, "{name}");
    }
}

/// Whether an entry with a key is found for a registry and repository.
type Case<'a> = (&'a str, &'a str, &'a str, &'a str, bool);

fn check_keys(cases: &[Case<'_>]) {
    for (name, key, registry, repository, expected) in cases {
        let found = find(
            &config(&json!({ *key: login("me:pw") })),
            registry,
            repository,
        );
        assert_eq!(found, if *expected { "me:pw" } else { "none" }, "{name}");
    }
}

#[test]
fn keys_name_a_host_and_a_path() {
    check_keys(&[
        ("host", "r.test", "r.test", "a", true),
        ("host in capitals", "R.Test", "r.test", "a", true),
        ("url", "https://r.test", "r.test", "a", true),
        (
            "url of version 1",
            "https://r.test/v1/",
            "r.test",
            "a",
            true,
        ),
        ("url of version 2", "http://r.test/v2", "r.test", "a", true),
        (
            "url with path",
            "https://r.test/v2/t",
            "r.test",
            "t/a",
            true,
        ),
        ("port", "r.test:5000", "r.test:5000", "a", true),
        ("missing port", "r.test", "r.test:5000", "a", false),
        ("other port", "r.test:5000", "r.test", "a", false),
        ("version 6", "[::1]:5000", "[::1]:5000", "a", true),
        ("path", "r.test/team", "r.test", "team/a", true),
        (
            "the repository itself",
            "r.test/team/a/",
            "r.test",
            "team/a",
            true,
        ),
        ("part of a name", "r.test/te", "r.test", "team/a", false),
        ("other path", "r.test/other", "r.test", "team/a", false),
        ("parent domain", "test", "r.test", "a", false),
        ("ending", "r.test", "evilr.test", "a", false),
        ("no host", "git credentials", "r.test", "a", false),
    ]);
}

#[test]
fn docker_hub_has_many_names() {
    let url = "https://index.docker.io/v1/";
    check_keys(&[
        ("as docker writes it", url, "docker.io", "library/a", true),
        (
            "the other version of the API, google/go-containerregistry#280",
            "https://index.docker.io/v2/",
            "docker.io",
            "library/a",
            true,
        ),
        ("name", "docker.io", "docker.io", "library/a", true),
        ("host", "registry-1.docker.io", "docker.io", "me/a", true),
        ("path", "docker.io/me", "docker.io", "me/a", true),
        ("pattern", "*.docker.io", "docker.io", "me/a", true),
        ("another registry", url, "r.test", "me/a", false),
    ]);
}

#[test]
fn patterns_stand_for_labels() {
    check_keys(&[
        ("label", "*.r.test", "a.r.test", "a", true),
        ("two in place of one", "*.r.test", "a.b.r.test", "a", false),
        ("none in place of one", "*.r.test", "r.test", "a", false),
        ("two labels", "*.*.test", "a.r.test", "a", true),
        ("part of a label", "eu-*-x.test", "eu-1-x.test", "a", true),
        ("port", "*.test:5000", "r.test:5000", "a", true),
        ("missing port", "*.test", "r.test:5000", "a", false),
        ("last label and a port", "r.*", "r.test:5000", "a", false),
        ("path", "*.test/team", "r.test", "team/a", true),
        ("other path", "*.test/team", "r.test", "a", false),
        ("ending", "*.r.test", "a.r.test.evil.test", "a", false),
    ]);
}

#[test]
fn the_closest_entry_counts() {
    let config = config(&json!({
        "*.test": login("me:pattern"),
        "r.test": login("me:host"),
        "r.test/team": login("me:path"),
        "r.test/team/empty": {},
        "*.test/team/deep": login("me:deep"),
        "docker.io": login("me:podman"),
        "https://index.docker.io/v1/": login("me:docker"),
    }));
    let cases = [
        ("a.test", "a", "me:pattern"),
        ("r.test", "a", "me:host"),
        ("r.test", "team/a", "me:path"),
        ("r.test", "team/empty", "me:path"),
        ("r.test", "team/deep/a", "me:deep"),
        ("docker.io", "library/a", "me:docker"),
    ];
    for (registry, repository, expected) in cases {
        assert_eq!(find(&config, registry, repository), expected);
    }
}

#[test]
fn helpers_are_named_by_host() {
    let config = DockerConfig::parse(
        br#"{
            "credHelpers": {"1.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login", "https://index.docker.io/v1/": "pass"},
            "credsStore": "desktop",
            "HttpHeaders": {"User-Agent": "x"}
        }"#,
    )
    .unwrap();
    let cases = [
        ("1.dkr.ecr.eu-west-1.amazonaws.com", Some("ecr-login")),
        ("1.dkr.ecr.eu-west-1.amazonaws.com.evil.test", None),
        ("docker.io", Some("pass")),
        ("ghcr.io", None),
    ];
    for (registry, expected) in cases {
        assert_eq!(config.helper(&registry.parse().unwrap()), expected);
    }
    let ghcr = "ghcr.io".parse().unwrap();
    assert_eq!(config.store(&ghcr), Some("desktop"));
    assert_eq!(
        DockerConfig::parse(br#"{"credsStore": ""}"#)
            .unwrap()
            .store(&ghcr),
        None
    );
}

/// What Go's `encoding/json` makes of a file, which Docker, Podman and Kubernetes read with it.
#[test]
fn files_are_read_as_go_reads_them() {
    let [a, b, c] = ["me:a", "me:b", "me:c"].map(|pair| login(pair)["auth"].to_string());
    let read = |text: &str| {
        let text = text
            .replace("\"A\"", &a)
            .replace("\"B\"", &b)
            .replace("\"C\"", &c);
        match DockerConfig::parse(text.as_bytes()) {
            Ok(config) => ["a.test", "b.test"]
                .map(|host| find(&config, host, "x"))
                .join(" "),
            Err(error) => error.to_string(),
        }
    };
    let cases = [
        ("one", r#"{"auths":{"a.test":{"auth":"A"}}}"#, "me:a none"),
        (
            "doubled auths are one map",
            r#"{"auths":{"a.test":{"auth":"A"}},"auths":{"b.test":{"auth":"B"}}}"#,
            "me:a me:b",
        ),
        (
            "in doubled auths the last counts",
            r#"{"auths":{"a.test":{"auth":"A"},"b.test":{"auth":"B"}},"auths":{"a.test":{"auth":"C"}}}"#,
            "me:c me:b",
        ),
        (
            "of a doubled host the last counts, as a whole",
            r#"{"auths":{"a.test":{"auth":"A","identitytoken":"x"},"a.test":{"auth":"B"}}}"#,
            "me:b none",
        ),
        (
            "a doubled host that is null",
            r#"{"auths":{"a.test":{"auth":"A"},"a.test":null}}"#,
            "none none",
        ),
        (
            "null forgets what stood before",
            r#"{"auths":{"a.test":{"auth":"A"}},"auths":null,"auths":{"b.test":{"auth":"B"}}}"#,
            "none me:b",
        ),
        (
            "of a doubled field the last counts that is not null",
            r#"{"auths":{"a.test":{"auth":"A","auth":"B","auth":null}}}"#,
            "me:b none",
        ),
        (
            "any case",
            r#"{"AUTHS":{"a.test":{"AUTH":"A"}},"Auths":{"b.test":{"Auth":"B"}}}"#,
            "me:a me:b",
        ),
        (
            "hosts in any case are one registry",
            r#"{"auths":{"a.tEst":{"auth":"A"}}}"#,
            "me:a none",
        ),
        (
            "what follows",
            "{\"auths\":{\"a.test\":{\"auth\":\"A\"}}}\n}garbage",
            "me:a none",
        ),
        (
            "a mark of the encoding",
            "\u{feff}{\"auths\":{\"a.test\":{\"auth\":\"A\"}}}",
            "me:a none",
        ),
        ("nothing in it", "{}", "none none"),
        ("null", "null", "none none"),
        (
            "auths are null",
            r#"{"auths":null,"credHelpers":null,"credsStore":null}"#,
            "none none",
        ),
        (
            "what nobody reads",
            r#"{"auths":{"a.test":{"auth":"A"}},"psFormat":[{}],"detachKeys":1,"plugins":{"x":null}}"#,
            "me:a none",
        ),
        (
            "a list",
            "[]",
            "is not the JSON of a Docker config: see line 1, column 2",
        ),
        (
            "cut off",
            r#"{"auths":{"a.test":{"auth":"A"#,
            "is not the JSON of a Docker config: see line 1, column 29",
        ),
    ];
    for (name, text, expected) in cases {
        assert_eq!(read(text), expected, "{name}");
    }
}

#[test]
fn the_port_of_a_scheme_may_be_written() {
    check_keys(&[
        ("in the key", "r.test:443", "r.test", "a", true),
        ("in the registry", "r.test", "r.test:443", "a", true),
        ("as a URL", "https://r.test:443/v1/", "r.test", "a", true),
        ("plain", "r.test:80", "r.test", "a", true),
        ("another", "r.test:4430", "r.test", "a", false),
    ]);
}

/// Docker takes a helper without a name for the file itself, `credsStore` or not.
#[test]
fn a_helper_without_a_name_is_none() {
    let config = DockerConfig::parse(
        br#"{
            "credHelpers": {"a.test": "", "b.test": null, "c.test": "old", "c.test": "", "d.test": "pass"},
            "CredHelpers": {"e.test": "gcloud", "d.test": "ecr-login"},
            "credsStore": "desktop",
            "credsStore": null
        }"#,
    )
    .unwrap();
    let cases = [
        ("a.test", None, None),
        ("b.test", None, None),
        ("c.test", None, None),
        ("d.test", Some("ecr-login"), Some("desktop")),
        ("e.test", Some("gcloud"), Some("desktop")),
        ("f.test", None, Some("desktop")),
    ];
    for (registry, helper, store) in cases {
        let registry = registry.parse().unwrap();
        let found = (config.helper(&registry), config.store(&registry));
        assert_eq!(found, (helper, store), "{registry}");
    }
}

#[test]
fn credentials_for_others_are_known() {
    let r: Registry = "r.test".parse().unwrap();
    let cases = [
        (
            json!({"r.test": login("a:b"), "r.test/team": login("a:b")}),
            false,
        ),
        (json!({"r.test": login("a:b"), "x.test": {}}), false),
        (
            json!({"r.test": login("a:b"), "x.test": login("a:b")}),
            true,
        ),
        (json!({"*.test": login("a:b")}), false),
    ];
    for (auths, expected) in cases {
        assert_eq!(config(&auths).has_others(&r), expected, "{auths}");
    }
}

#[test]
fn broken_files_are_refused_without_being_quoted() {
    let many: BTreeMap<String, Value> = (0..=HOSTS)
        .map(|number| (format!("r{number}.test"), json!({})))
        .collect();
    let many = json!({ "auths": many }).to_string();
    let large = " ".repeat(BYTES + 1);
    let cases = [
        (
            "",
            "is not the JSON of a Docker config: see line 1, column 0",
        ),
        (
            "{\n \"auths\": \"canary\"}",
            "is not the JSON of a Docker config: see line 2, column 18",
        ),
        (
            r#"{"auths": ["canary"]}"#,
            "is not the JSON of a Docker config: see line 1, column 10",
        ),
        (many.as_str(), "names 501 hosts, at most 500 are read"),
        (large.as_str(), "has more than 1048576 bytes"),
    ];
    for (text, expected) in cases {
        let error = DockerConfig::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_value_of_another_type_counts_where_it_is_used() {
    let entries = [
        (json!({"auth": 7}), "field `auth`"),
        (
            json!({"auth": ["canary"], "username": "me"}),
            "field `auth`",
        ),
        (
            json!({"username": true, "password": "pw"}),
            "field `username`",
        ),
        (
            json!({"username": "me", "password": 1.5}),
            "field `password`",
        ),
        (
            json!({"identitytoken": {"canary": 1}}),
            "field `identitytoken`",
        ),
        (json!({"registrytoken": false, "auth": 7}), "field `"),
        (json!("canary"), "the entry"),
        (json!(["canary"]), "the entry"),
        (json!(7), "the entry"),
        (json!(-7), "the entry"),
        (json!(false), "the entry"),
    ];
    for (entry, expected) in entries {
        let config = config(&json!({ "r.test": entry, "other.test": login("me:pw") }));
        assert_eq!(find(&config, "other.test", "a"), "me:pw", "{entry}");
        let found = find(&config, "r.test", "a");
        let beginning =
            format!("has a credential for \"r.test\" that is not as it should be: {expected}");
        assert!(found.starts_with(&beginning), "{entry}: {found}");
        assert!(!found.contains("canary"), "{found}");
    }
    let right = json!({"auth": null, "username": "me", "password": "pw"});
    assert_eq!(
        find(&config(&json!({ "r.test": right })), "r.test", "a"),
        "me:pw"
    );
}

#[test]
fn nothing_secret_is_shown() {
    let config = config(&json!({ "r.test": {"username": "canary", "password": "canary"} }));
    assert!(!format!("{config:?}").contains("canary"));
}

proptest! {
    #[test]
    fn any_file_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = DockerConfig::parse(&bytes);
    }

    #[test]
    fn any_key_is_read_without_a_panic(key in "(https?://)?[a-z*.:/\\[\\]]{0,30}", auth in ".{0,20}") {
        find(&config(&json!({ key: { "auth": auth } })), "r.test", "team/a");
    }

    #[test]
    fn what_docker_writes_is_found(username in "[^:<\\x00]{1,20}", password in "[^\\x00]{0,20}") {
        let pair = format!("{username}:{password}");
        prop_assert_eq!(find(&config(&json!({ "r.test": login(&pair) })), "r.test", "a"), pair);
    }

    #[test]
    fn a_pattern_for_a_label_is_a_regular_expression(pattern in "[ab*]{0,6}", label in "[ab]{0,6}") {
        let expression = format!("^{}$", pattern.replace('*', ".*"));
        let expected = regex::Regex::new(&expression).unwrap().is_match(&label);
        prop_assert_eq!(label_matches(&pattern, &label), expected);
    }
}
