// SPDX-License-Identifier: Apache-2.0

//! What stands in `WWW-Authenticate`, and how it is read.

use proptest::prelude::*;

use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::super::challenge::{CHALLENGES, Challenge, HEADER_BYTES, by_preference, parse};

/// Its name, the header lines, and what they ask for.
type Case<'a> = (&'a str, &'a [&'a [u8]], Vec<Challenge>);

fn headers(lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(line).unwrap());
    }
    headers
}

fn bearer(realm: &str, service: Option<&str>) -> Challenge {
    Challenge::Bearer {
        realm: realm.to_owned(),
        service: service.map(str::to_owned),
        scope: None,
    }
}

fn scoped(realm: &str, service: Option<&str>, scope: &str) -> Challenge {
    Challenge::Bearer {
        realm: realm.to_owned(),
        service: service.map(str::to_owned),
        scope: Some(scope.to_owned()),
    }
}

fn check(cases: &[Case<'_>]) {
    for (name, lines, expected) in cases {
        assert_eq!(parse(&headers(lines)), *expected, "{name}");
    }
}

#[test]
fn challenges_as_registries_write_them() {
    let a = "https://a.test/t";
    check(&[
        ("nothing", &[], vec![]),
        ("empty", &[b""], vec![]),
        (
            "docker hub",
            &[br#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/a:pull""#],
            vec![scoped(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                "repository:library/a:pull",
            )],
        ),
        ("upper case", &[b"BASIC REALM=\"Nexus\""], vec![Challenge::Basic]),
        ("lower case", &[br#"bearer Realm="https://a.test/t""#], vec![bearer(a, None)]),
        ("no quotes", &[br#"Bearer service=x, realm="https://a.test/t""#], vec![bearer(a, Some("x"))]),
        (
            "escapes and commas",
            &[br#"Bearer realm="https://a.test/t", service="a\"b, Basic realm=c""#],
            vec![bearer(a, Some("a\"b, Basic realm=c"))],
        ),
        (
            "several in a line",
            &[br#"Negotiate, Basic realm="x", Bearer realm="https://a.test/t""#],
            vec![Challenge::Basic, bearer(a, None)],
        ),
        (
            "several lines",
            &[b"Digest realm=\"x\", nonce=\"y\"", b"Basic realm=\"x\"", br#"Bearer realm="https://a.test/t""#],
            vec![Challenge::Basic, bearer(a, None)],
        ),
        (
            "a line that cannot be read hides no other",
            &[b"Bearer realm=\"open", b"Negotiate YQ==, Basic", b"Basic realm=x"],
            vec![Challenge::Basic, Challenge::Basic],
        ),
        ("data in place of parameters", &[b"Negotiate a/b+c==, Basic realm=x"], vec![Challenge::Basic]),
        ("other encodings", &["Basic realm=\"R\u{e9}gistre\"".as_bytes()], vec![Challenge::Basic]),
        ("a token without a realm", &[b"Bearer error=\"invalid_token\""], vec![]),
        ("an empty realm", &[b"Bearer realm=\"\""], vec![]),
        (
            "two realms in one",
            &[br#"Bearer realm="https://a.test/t",realm="https://b.test/t""#],
            vec![bearer(a, None)],
        ),
        (
            "a URL without quotes",
            &[b"Bearer realm=https://a.test/t,service=y"],
            vec![bearer(a, Some("y"))],
        ),
        (
            "nothing with quotes",
            &[b"Bearer realm=https://a.test/t, service=r.test:5000, scope=repository:a/b:pull,push"],
            vec![scoped(a, Some("r.test:5000"), "repository:a/b:pull,push")],
        ),
        (
            "a scope without quotes in the middle",
            &[b"Bearer realm=https://a.test/t,scope=repository:a:pull,push,*,service=y, Basic"],
            vec![scoped(a, Some("y"), "repository:a:pull,push,*"), Challenge::Basic],
        ),
        (
            "a scope without quotes and another challenge",
            &[b"Bearer realm=https://a.test/t,scope=repository:a:pull,Basic realm=x"],
            vec![scoped(a, None, "repository:a:pull"), Challenge::Basic],
        ),
    ]);
}

#[test]
fn challenges_as_they_are_written_by_hand() {
    let a = "https://a.test/t";
    check(&[
        (
            "two scopes",
            &[br#"Bearer realm="https://a.test/t",scope="repository:a:pull,push repository:b:pull",error="insufficient_scope""#],
            vec![scoped(a, None, "repository:a:pull,push repository:b:pull")],
        ),
        ("a slash without quotes", &[b"Basic realm=/"], vec![Challenge::Basic]),
        (
            "a path without quotes",
            &[b"Bearer realm=/v2/token,service=r.test:5000"],
            vec![bearer("/v2/token", Some("r.test:5000"))],
        ),
        (
            "a name of several words without quotes",
            &[b"Basic realm=Sonatype Nexus Repository Manager, Bearer realm=https://a.test/t"],
            vec![Challenge::Basic, bearer(a, None)],
        ),
        (
            "spaces in place of commas, and around the sign",
            &[br#"Bearer realm = "https://a.test/t" service= "y""#],
            vec![bearer(a, Some("y"))],
        ),
        (
            "commas that separate nothing",
            &[br#", ,Bearer ,realm="https://a.test/t",,service="y",,"#],
            vec![bearer(a, Some("y"))],
        ),
        (
            "a query without quotes",
            &[b"Bearer realm=https://a.test/t?x=1&y=%20, Basic realm=Some:place"],
            vec![bearer("https://a.test/t?x=1&y=%20", None), Challenge::Basic],
        ),
        (
            "one with quotes, one without",
            &[br#"Bearer service="a=https://b.test/, \"c\"",realm=https://a.test/t"#],
            vec![bearer(a, Some("a=https://b.test/, \"c\""))],
        ),
        ("a URL that turns into a quote", &[br#"Bearer realm=https://a.test/t"x""#], vec![]),
        ("a URL with an escape", &[br"Bearer realm=https://a.test/\t"], vec![]),
        ("a colon first", &[b"Bearer realm=:5000"], vec![bearer(":5000", None)]),
        ("no scheme", &[b"realm=\"https://a.test/t\""], vec![]),
        (
            "an empty parameter in the middle, containerd/containerd#6376",
            &[br#"Bearer realm="https://a.test/t",empty="",service="y",scope="repository:a:pull""#],
            vec![scoped(a, Some("y"), "repository:a:pull")],
        ),
        (
            "the same without quotes",
            &[b"Bearer realm=https://a.test/t,empty=,service=y"],
            vec![bearer(a, Some("y"))],
        ),
        ("a scheme alone, argoproj/argo-cd#29004", &[b"Bearer"], vec![]),
        ("a name without a sign, argoproj/argo-cd#29004", &[b"Bearer realm", b"Basic"], vec![Challenge::Basic]),
        (
            "a realm with commas and signs, jdx/mise#11132",
            &[br#"Bearer realm="https://a.test/t?a=1,b=2",service="y""#],
            vec![bearer("https://a.test/t?a=1,b=2", Some("y"))],
        ),
        (
            "Kerberos first, google/go-containerregistry#1075",
            &[b"Negotiate", b"Basic realm=\"Registry\""],
            vec![Challenge::Basic],
        ),
    ]);
}

#[test]
fn token_servers_come_first_in_the_order_of_the_header() {
    let order = |lines: &[&[u8]]| by_preference(&headers(lines));
    let mixed: &[&[u8]] = &[
        b"Basic realm=\"x\"",
        b"Bearer realm=\"b\", Bearer realm=\"c\"",
    ];
    let expected = [bearer("b", None), bearer("c", None), Challenge::Basic];
    assert_eq!(order(mixed), expected);
    assert_eq!(order(&[b"Negotiate"]), []);
}

#[test]
fn what_is_read_is_bounded() {
    let many = vec!["Bearer realm=\"x\""; 200].join(", ");
    assert_eq!(parse(&headers(&[many.as_bytes(); 3])).len(), CHALLENGES);
    let long = format!("Bearer realm=\"{}\"", "x".repeat(HEADER_BYTES));
    assert_eq!(parse(&headers(&[long.as_bytes()])), []);
}

proptest! {
    #[test]
    fn any_header_is_read_without_a_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = HeaderValue::from_bytes(&line) {
            let mut headers = HeaderMap::new();
            headers.append(WWW_AUTHENTICATE, value);
            prop_assert!(parse(&headers).len() <= CHALLENGES);
        }
    }

    #[test]
    fn what_is_written_is_read_again(
        scheme in "[Bb][Ee][Aa][Rr][Ee][Rr]",
        realm in "[ -~]{1,60}",
        service in "[ -~]{1,60}",
        scope in "[ -~]{1,60}",
    ) {
        let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let (realm_quoted, service_quoted, scope_quoted) = (quote(&realm), quote(&service), quote(&scope));
        let line = format!(
            "Basic, {scheme} scope=\"{scope_quoted}\",realm=\"{realm_quoted}\" , service=\"{service_quoted}\", Basic"
        );
        let expected = [Challenge::Basic, scoped(&realm, Some(&service), &scope), Challenge::Basic];
        prop_assert_eq!(parse(&headers(&[line.as_bytes()])), expected);
    }

    #[test]
    fn what_needs_no_quotes_is_read_without_them(realm in "[a-z/][!#-+\\--\\[\\]-~]{0,60}", service in "[a-z0-9:./-]{1,60}") {
        let line = format!("Bearer realm={realm},service={service}");
        prop_assert_eq!(parse(&headers(&[line.as_bytes()])), [bearer(&realm, Some(&service))]);
    }
}
