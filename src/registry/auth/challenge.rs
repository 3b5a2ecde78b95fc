//! What a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1).

use http_auth::ChallengeRef;
use http_auth::parser::ChallengeParser;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

/// The longest header line that is read, in bytes.
const HEADER_BYTES: usize = 16 * 1024;
/// The most challenges that are read.
const CHALLENGES: usize = 16;

/// A way to authenticate that a registry offers and we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User name and password.
    Basic,
    /// A token from a token server.
    Bearer {
        /// The URL of the token server, unchecked.
        realm: String,
        /// The name under which it knows the registry.
        service: Option<String>,
    },
}

/// The known challenges of an answer, from all header lines in their order.
///
/// What cannot be read ends its line; unknown schemes and tokens without a realm are left out.
pub fn parse(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter(|line| line.len() <= HEADER_BYTES)
        .flat_map(parse_line)
        .take(CHALLENGES)
        .collect()
}

/// The challenge to answer: one with a token server, else user name and password.
pub(super) fn choose(headers: &HeaderMap) -> Option<Challenge> {
    parse(headers)
        .into_iter()
        .min_by_key(|challenge| match challenge {
            Challenge::Bearer { .. } => 0,
            Challenge::Basic => 1,
        })
}

fn parse_line(line: &HeaderValue) -> Vec<Challenge> {
    let text = quote_bare_values(&to_ascii(line));
    ChallengeParser::new(&text)
        .map_while(Result::ok)
        .filter_map(|challenge| known(&challenge))
        .take(CHALLENGES)
        .collect()
}

/// Realms of basic authentication are names for people, in any encoding; they must not hide the rest of the line.
fn to_ascii(line: &HeaderValue) -> String {
    line.as_bytes()
        .iter()
        .map(|byte| {
            if byte.is_ascii() {
                char::from(*byte)
            } else {
                '?'
            }
        })
        .collect()
}

/// Puts quotes around values that need them: some registries write `realm=https://a.test/token`.
fn quote_bare_values(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', '"']) {
        let (before, behind) = rest.split_at(at + 1);
        written.push_str(before);
        if before.ends_with('"') {
            let (quoted, behind) = behind.split_at(quoted_length(behind));
            written.push_str(quoted);
            rest = behind;
        } else {
            let length = behind.find([',', ' ', '\t', '"']).unwrap_or(behind.len());
            let (bare, behind) = behind.split_at(length);
            let quote = if needs_quotes(bare) { "\"" } else { "" };
            written.extend([quote, bare, quote]);
            rest = behind;
        }
    }
    written + rest
}

/// The length of a quoted text whose first quote is gone, with its last one.
fn quoted_length(text: &str) -> usize {
    let mut is_escaped = false;
    let last = text.bytes().position(|byte| {
        let is_last = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_last
    });
    last.map_or(text.len(), |last| last + 1)
}

/// Whether a value stands without quotes although it is no token (RFC 9110, section 5.6.2).
fn needs_quotes(value: &str) -> bool {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !value.contains('\\')
        && !value.chars().all(is_of_token)
}

fn known(challenge: &ChallengeRef<'_>) -> Option<Challenge> {
    if challenge.scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !challenge.scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Some(Challenge::Bearer {
        realm: parameter(challenge, "realm")?,
        service: parameter(challenge, "service"),
    })
}

fn parameter(challenge: &ChallengeRef<'_>, name: &str) -> Option<String> {
    let (_, value) = challenge
        .params
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.to_unescaped()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        }
    }

    #[test]
    fn challenges_as_registries_write_them() {
        let a = "https://a.test/t";
        let cases: [Case<'_>; 22] = [
            ("nothing", &[], vec![]),
            ("empty", &[b""], vec![]),
            (
                "docker hub",
                &[br#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/a:pull""#],
                vec![bearer("https://auth.docker.io/token", Some("registry.docker.io"))],
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
                vec![Challenge::Basic],
            ),
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
                vec![bearer(a, Some("r.test:5000"))],
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
            ("a colon first", &[b"Bearer realm=:5000"], vec![]),
            ("no scheme", &[b"realm=\"https://a.test/t\""], vec![]),
        ];
        for (name, lines, expected) in cases {
            assert_eq!(parse(&headers(lines)), expected, "{name}");
        }
    }

    #[test]
    fn a_token_server_is_preferred_and_the_first_one_counts() {
        let choice = |lines: &[&[u8]]| choose(&headers(lines));
        let mixed: &[&[u8]] = &[
            b"Basic realm=\"x\"",
            b"Bearer realm=\"b\", Bearer realm=\"c\"",
        ];
        assert_eq!(choice(mixed), Some(bearer("b", None)));
        assert_eq!(choice(&[b"Basic"]), Some(Challenge::Basic));
        assert_eq!(choice(&[b"Negotiate"]), None);
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
        ) {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!("{scheme} realm=\"{}\" , service=\"{}\"", quote(&realm), quote(&service));
            prop_assert_eq!(parse(&headers(&[line.as_bytes()])), [bearer(&realm, Some(&service))]);
        }
    }
}
