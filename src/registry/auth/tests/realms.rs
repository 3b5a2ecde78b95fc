// SPDX-License-Identifier: Apache-2.0

//! Which token servers are asked.

use proptest::prelude::*;

use super::super::realm::{Realm, RealmFault, Trust};
use super::super::scope::Scope;
use crate::oci::limits;

/// For who has no credential.
const ANONYMOUS: Trust<'_> = Trust {
    hosts: &[],
    is_anonymous: true,
};

fn accept(registry: &str, realm: &str, trusted: &[&str]) -> Result<Realm, (String, RealmFault)> {
    let trusted: Vec<String> = trusted.iter().map(|&entry| entry.to_owned()).collect();
    let base = registry.parse().unwrap();
    let trust = Trust {
        hosts: &trusted,
        is_anonymous: false,
    };
    Realm::accept(realm, None, &base, trust)
}

#[test]
fn token_servers_of_the_same_owner_are_asked() {
    let cases = [
        (
            "docker hub",
            "https://registry-1.docker.io",
            "https://auth.docker.io/token",
        ),
        (
            "gitlab",
            "https://registry.gitlab.com",
            "https://gitlab.com/jwt/auth",
        ),
        ("same host", "https://ghcr.io", "https://ghcr.io/token"),
        (
            "port written out",
            "https://r.test",
            "https://r.test:443/token",
        ),
        (
            "other port, same domain",
            "https://r.example.com",
            "https://r.example.com:8443/token",
        ),
        (
            "trailing dot",
            "https://r.example.com",
            "https://auth.example.com./token",
        ),
        (
            "three-part suffix",
            "https://r.example.co.uk",
            "https://auth.example.co.uk/",
        ),
        (
            "own domain that no list knows",
            "https://r.corp.internal",
            "https://auth.corp.internal/",
        ),
        (
            "same namespace",
            "http://r.a.svc.cluster.local",
            "http://auth.a.svc.cluster.local/t",
        ),
        (
            "an address, same port",
            "https://10.0.0.1:5000",
            "https://10.0.0.1:5000/token",
        ),
        (
            "version 6, same port",
            "https://[fd00::1]:5000",
            "https://[fd00::1]:5000/token",
        ),
        (
            "plain registry",
            "http://localhost:5000",
            "http://localhost:5000/token",
        ),
        ("a path", "https://10.0.0.1:5000", "/v2/token"),
        ("a path and a query", "https://r.test", "/token?a=b"),
        (
            "two slashes, same domain",
            "https://r.example.com",
            "//auth.example.com/token",
        ),
        (
            "plain registry, encrypted server",
            "http://r.example.com",
            "https://auth.example.com/",
        ),
    ];
    for (name, registry, realm) in cases {
        assert!(accept(registry, realm, &[]).is_ok(), "{name}");
    }
}

fn refusal(registry: &str, realm: &str) -> Option<RealmFault> {
    accept(registry, realm, &[]).err().map(|(_, fault)| fault)
}

#[test]
fn token_servers_of_another_owner_are_refused() {
    let r = "https://r.example.com";
    let cases = [
        ("other domain", r, "https://evil.test/token"),
        ("domain as prefix", r, "https://example.com.evil.test/"),
        ("domain as ending", r, "https://evilexample.com/"),
        ("shared host", "https://a.github.io", "https://b.github.io/"),
        (
            "registries of a cloud",
            "https://victim.azurecr.io",
            "https://evil.azurecr.io/oauth2/token",
        ),
        (
            "registries of a vendor",
            "https://victim.jfrog.io",
            "https://evil.jfrog.io/token",
        ),
        (
            "accounts of a cloud",
            "https://1.dkr.ecr.us-east-1.amazonaws.com",
            "https://2.dkr.ecr.us-east-1.amazonaws.com/",
        ),
        ("two-part suffix", "https://a.co.uk", "https://b.co.uk/"),
        ("the suffix itself", "https://a.co.uk", "https://co.uk/"),
        (
            "other namespace",
            "https://r.a.svc.cluster.local",
            "https://r.b.svc.cluster.local/",
        ),
        (
            "names without a domain",
            "https://registry",
            "https://auth/",
        ),
        (
            "registry by address",
            "https://10.0.0.1",
            "https://a.example.com/",
        ),
        ("metadata by name", r, "https://metadata.google.internal/"),
        ("two slashes", r, "//evil.test/token"),
        ("a slash and a backslash", r, "/\\evil.test/token"),
        ("slashes around a tab", r, "/\t/evil.test/token"),
    ];
    for (name, registry, realm) in cases {
        assert_eq!(
            refusal(registry, realm),
            Some(RealmFault::OtherDomain),
            "{name}"
        );
    }
}

#[test]
fn addresses_in_any_spelling_are_never_crossed_to() {
    let r = "https://r.example.com";
    let cases = [
        ("metadata", r, "https://169.254.169.254/latest"),
        ("loopback", r, "https://127.0.0.1/"),
        ("loopback in decimal", r, "https://2130706433/"),
        ("loopback in hex", r, "https://0x7f.1/"),
        ("loopback in octal", r, "https://0177.0.0.1/"),
        ("full-width digits", r, "https://①②⑦.⓪.⓪.①/"),
        ("unspecified", r, "https://0.0.0.0:443/"),
        ("unspecified, version 6", r, "https://[::]/"),
        ("loopback, version 6", r, "https://[::1]/"),
        ("loopback, mapped", r, "https://[::ffff:127.0.0.1]/"),
        ("metadata, NAT64", r, "https://[64:ff9b::a9fe:a9fe]/"),
        ("localhost", r, "https://localhost/"),
        ("localhost with a dot", r, "https://localhost./"),
        ("below localhost", r, "https://r.localhost/"),
        (
            "loopback, other port",
            "http://127.0.0.1:5000",
            "http://127.0.0.1:5001/",
        ),
        (
            "localhost, other port",
            "http://localhost:5000",
            "http://localhost:5001/",
        ),
        ("same network", "https://10.0.0.1", "https://10.0.0.2/"),
        ("two slashes", r, "//169.254.169.254/latest"),
        ("a backslash", r, "/\\127.0.0.1/"),
    ];
    for (name, registry, realm) in cases {
        assert_eq!(
            refusal(registry, realm),
            Some(RealmFault::OtherAddress),
            "{name}"
        );
    }
}

#[test]
fn urls_that_are_no_token_server_are_refused() {
    use RealmFault::{HasUserInfo, NotAUrl, NotEncrypted};
    let r = "https://r.example.com";
    let plain = "http://r.example.com";
    let long = format!("{r}/{}", "x".repeat(limits::URL_BYTES));
    let cases = [
        ("too long", r, long.as_str(), NotAUrl),
        ("plain", r, "http://r.example.com/token", NotEncrypted),
        (
            "plain, same port",
            r,
            "http://r.example.com:443/token",
            NotEncrypted,
        ),
        ("ftp", plain, "ftp://r.example.com/", NotEncrypted),
        ("user", r, "https://me@r.example.com/", HasUserInfo),
        ("password", r, "https://:pw@r.example.com/", HasUserInfo),
        (
            "host as user",
            r,
            "https://r.example.com@evil.test/",
            HasUserInfo,
        ),
        ("a slash", r, "/", NotAUrl),
        ("a relative path", r, "token", NotAUrl),
        ("three slashes", r, "///", NotAUrl),
        ("a name", r, "Nexus Repository Manager", NotAUrl),
        ("no host", plain, "http:///", NotAUrl),
        ("no server", plain, "data:,x", NotAUrl),
    ];
    for (name, registry, realm, expected) in cases {
        assert_eq!(refusal(registry, realm), Some(expected), "{name}");
    }
}

#[test]
fn a_fragment_is_dropped() {
    let asked = "https://r.example.com/token?a=b&service=s&scope=repository%3Aa%3Apull";
    for realm in ["https://r.example.com/token?a=b#x", "/token?a=b#x=y?z"] {
        let base = "https://r.example.com".parse().unwrap();
        let realm = Realm::accept(realm, Some("s".to_owned()), &base, ANONYMOUS).unwrap();
        let scope = Scope::pull(&"a".parse().unwrap());
        assert_eq!(realm.token_url(&scope).as_str(), asked);
        assert_eq!(realm.url().as_str(), "https://r.example.com/token?a=b");
    }
    let elsewhere = "https://evil.test/token#https://r.example.com/";
    assert_eq!(
        refusal("https://r.example.com", elsewhere),
        Some(RealmFault::OtherDomain)
    );
}

#[test]
fn the_operator_may_name_further_ones() {
    let cases = [
        ("host", "https://auth.test/t", "auth.test", true),
        ("any case", "https://auth.test/t", "AUTH.test", true),
        (
            "host and port",
            "https://auth.test:8443/t",
            "auth.test:8443",
            true,
        ),
        ("default port", "https://auth.test/t", "auth.test:443", true),
        (
            "host without the port",
            "https://auth.test:8443/t",
            "auth.test",
            false,
        ),
        (
            "other port",
            "https://auth.test:8443/t",
            "auth.test:8444",
            false,
        ),
        (
            "address",
            "https://127.0.0.1:5001/t",
            "127.0.0.1:5001",
            true,
        ),
        ("version 6", "https://[::1]:5001/t", "[::1]:5001", true),
        ("below", "https://a.auth.test/t", "auth.test", false),
        ("plain", "http://auth.test/t", "auth.test", false),
    ];
    for (name, realm, entry, expected) in cases {
        assert_eq!(
            accept("https://r.test", realm, &[entry]).is_ok(),
            expected,
            "{name}"
        );
    }
}

/// Who has no credential has none to lose: registries that stand in front of others name their token servers.
#[test]
fn for_nobody_any_host_may_be_asked_by_its_name() {
    use RealmFault::{HasUserInfo, NotEncrypted, OtherAddress};
    let r = "https://r.example.com";
    let cases = [
        (r, "https://ghcr.io/token", None),
        ("https://10.0.0.1:5000", "https://auth.test/token", None),
        ("http://r.example.com", "http://auth.test/token", None),
        (r, "http://auth.test/token", Some(NotEncrypted)),
        (r, "https://me@auth.test/token", Some(HasUserInfo)),
        (r, "https://169.254.169.254/", Some(OtherAddress)),
        (r, "https://10.0.0.1/", Some(OtherAddress)),
        (r, "https://[::1]/", Some(OtherAddress)),
        (r, "https://localhost/", Some(OtherAddress)),
        (r, "https://a.localhost/", Some(OtherAddress)),
    ];
    for (registry, realm, expected) in cases {
        let accepted = Realm::accept(realm, None, &registry.parse().unwrap(), ANONYMOUS);
        let found = accepted.err().map(|(_, fault)| fault);
        assert_eq!(found, expected, "{realm}");
    }
}

#[test]
fn the_challenge_cannot_add_parameters() {
    let realm = Realm::accept(
        "https://r.test/token?account=a%20b",
        Some("x&scope=registry:catalog:*".to_owned()),
        &"https://r.test".parse().unwrap(),
        ANONYMOUS,
    );
    let [a, b] = ["a/b", "c"].map(|name| name.parse().unwrap());
    let url = realm.unwrap().token_url(&Scope::mount(&a, &b));
    assert_eq!(
        url.as_str(),
        "https://r.test/token?account=a%20b&service=x%26scope%3Dregistry%3Acatalog%3A*\
         &scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%3Apull"
    );
}

#[test]
fn what_the_realm_asks_for_by_itself_is_not_asked_for() {
    let base = "https://r.test".parse().unwrap();
    let scope = Scope::pull(&"a".parse().unwrap());
    let asked = "scope=repository%3Aa%3Apull";
    let cases = [
        ("?scope=registry:catalog:*", Some("s"), "service=s&"),
        ("?service=other", Some("s"), "service=s&"),
        ("?service=other", None, "service=other&"),
        ("?service=a&service=b", Some("s"), "service=s&"),
        ("?%73cope=x&s%65rvice=y", Some("s"), "service=s&"),
        (
            "?a=b&scope=x&account=me%20too&scope=y",
            Some("s"),
            "a=b&account=me%20too&service=s&",
        ),
        ("?flag&&scope", None, "flag&&"),
        ("", Some("s"), "service=s&"),
        ("?", None, ""),
    ];
    for (query, service, expected) in cases {
        let realm = format!("https://r.test/token{query}");
        let realm = Realm::accept(&realm, service.map(str::to_owned), &base, ANONYMOUS).unwrap();
        let url = realm.token_url(&scope);
        assert_eq!(
            url.query(),
            Some(format!("{expected}{asked}").as_str()),
            "{query}"
        );
        let shown = realm.url().query().unwrap_or_default();
        assert!(
            !shown.contains("scope") && !shown.contains("service"),
            "{shown}"
        );
    }
}

#[test]
fn only_who_would_get_a_credential_is_shown_a_certificate() {
    let cases = [
        ("https://r.example.com/token", true),
        ("https://auth.example.com/token", true),
        ("https://auth.test/token", true),
        ("https://ghcr.io/token", false),
    ];
    let base = "https://r.example.com".parse().unwrap();
    let trust = Trust {
        hosts: &["auth.test".to_owned()],
        is_anonymous: true,
    };
    for (realm, expected) in cases {
        let accepted = Realm::accept(realm, None, &base, trust).unwrap();
        assert_eq!(accepted.is_trusted(), expected, "{realm}");
    }
}

#[test]
fn what_is_shown_has_no_query() {
    for realm in ["https://evil.test:8443/canary?canary", "evil?canary"] {
        let (shown, _) = accept("https://r.test", realm, &[]).unwrap_err();
        assert!(!shown.contains("canary"), "{shown}");
    }
}

proptest! {
    #[test]
    fn a_realm_that_is_accepted_stays_with_its_owner(
        realm in "(https:)?[/\\\\\t]{1,3}[a-z.@:/0-9\\[\\]]{0,30}",
    ) {
        if let Ok(accepted) = accept("https://r.example.com", &realm, &[]) {
            let host = accepted.url().host_str().unwrap().trim_end_matches('.').to_owned();
            prop_assert!(host == "example.com" || host.ends_with(".example.com"), "{}", host);
        }
    }
}
