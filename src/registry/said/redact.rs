// SPDX-License-Identifier: Apache-2.0

//! Takes out of a text what looks like a secret, whoever it may belong to. Better a word too many
//! than one too few: it is help, not data.

/// What stands in place of a secret.
pub(in crate::registry) const HIDDEN: &str = "***";

/// Words before a colon or equals sign that say that a secret follows. Part of a name is enough.
const NAMES: [&str; 16] = [
    "passw",
    "passwd",
    "pwd",
    "secret",
    "token",
    "signature",
    "credential",
    "authorization",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "access-key",
    "cookie",
    "jwt",
];
/// The same where it is the whole name.
const SHORT_NAMES: [&str; 5] = ["sig", "auth", "key", "pass", "_state"];
/// Schemes of `Authorization`: what follows is a secret, unless it is one of [`PROSE`].
const SCHEMES: [&str; 4] = ["bearer", "basic", "negotiate", "aws4-hmac-sha256"];
/// Words that follow the name of a scheme in a sentence.
const PROSE: [&str; 13] = [
    "auth",
    "authentication",
    "authorization",
    "challenge",
    "credential",
    "credentials",
    "error",
    "is",
    "or",
    "realm",
    "scheme",
    "token",
    "tokens",
];
/// How the tokens of well-known services begin, and how long they are at least.
const PREFIXES: [(&str, usize); 16] = [
    ("eyJ", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 12),
    ("gho_", 12),
    ("ghs_", 12),
    ("ghu_", 12),
    ("ghr_", 12),
    ("github_pat_", 16),
    ("glpat-", 12),
    ("gldt-", 12),
    ("dckr_pat_", 12),
    ("dckr_oat_", 12),
    ("ya29.", 12),
    ("AIza", 20),
    ("sq0", 16),
];
/// From so many characters on, one that mixes digits with letters of both cases is no word.
const MIXED: usize = 24;
/// From so many characters on, digits and letters without a break are no word.
const UNBROKEN: usize = 32;
/// The lengths of digests in hex.
const DIGESTS: [usize; 3] = [64, 96, 128];

/// The text without queries of URLs, user names in them, tokens, signatures and passwords.
///
/// `text` is folded: its words are separated by single spaces.
pub(super) fn redact(text: &str) -> String {
    let mut shown = Vec::new();
    let mut follows = Follows::Nothing;
    for word in text.split(' ') {
        let bare = word.trim_matches(|character: char| {
            !character.is_alphanumeric() && !matches!(character, '=' | '+' | '/' | '_' | '-')
        });
        let lower = bare.to_ascii_lowercase();
        let is_scheme = SCHEMES.contains(&lower.as_str());
        let is_secret = match follows {
            Follows::Nothing => false,
            Follows::Named => !bare.is_empty() && !is_scheme && !is_prose(bare),
            Follows::Scheme => {
                !bare.is_empty() && !PROSE.contains(&lower.as_str()) && !is_prose(bare)
            }
        };
        follows = match () {
            () if is_scheme => Follows::Scheme,
            () if word.ends_with([':', '=']) && is_name(&lower) => Follows::Named,
            () if bare.is_empty() => follows,
            () => Follows::Nothing,
        };
        shown.push(if is_secret {
            word.replace(bare, HIDDEN)
        } else {
            redact_word(word)
        });
    }
    shown.retain(|word| !word.is_empty());
    shown.join(" ")
}

/// What the words before let expect.
#[derive(Clone, Copy)]
enum Follows {
    Nothing,
    /// The name of a secret and a colon.
    Named,
    /// The scheme of an `Authorization`.
    Scheme,
}

/// Whether what follows `token:` is a word of a sentence, as in "invalid token: expired".
fn is_prose(word: &str) -> bool {
    word.len() < 12 && word.bytes().all(|byte| byte.is_ascii_lowercase()) && !word.contains("pass")
}

fn is_name(lower: &str) -> bool {
    let lower = lower.trim_end_matches('=');
    let last = lower
        .rsplit(['"', '\'', '&', '?', '{', ',', ';', '-'])
        .next();
    let is_short = SHORT_NAMES
        .iter()
        .any(|name| last == Some(name) || lower == *name);
    is_short || NAMES.iter().any(|name| lower.contains(name))
}

/// A word without its secret parts.
fn redact_word(word: &str) -> String {
    let word = without_userinfo(word);
    let word = without_query(&word);
    let word = without_named(&word);
    let is_part = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '+' | '=' | '.' | '~')
    };
    let mut shown = String::new();
    let mut rest = word.as_str();
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let (part, behind) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        shown.push_str(before);
        shown.push_str(if is_opaque(part) { HIDDEN } else { part });
        rest = behind;
    }
    shown + rest
}

/// `https://user:password@host/` without what stands before the host.
fn without_userinfo(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    // A text may hold more than one.
    format!("{scheme}://{host}{}", without_userinfo(path))
}

/// A URL, or a path, without its query and fragment.
fn without_query(word: &str) -> String {
    let is_url = word.contains("://");
    let Some(start) = word.find(['?', '#']) else {
        return word.to_owned();
    };
    let (before, query) = word.split_at(start);
    if !is_url && !query.contains('=') {
        return word.to_owned();
    }
    let end = query
        .find(['"', '\'', '<', '>', ')', ']', '}'])
        .unwrap_or(query.len());
    let behind = query.get(end..).unwrap_or_default();
    format!("{before}{}", without_query(behind))
}

/// `password=secret` and `"token":"secret"` without what stands behind the name.
fn without_named(word: &str) -> String {
    let mut shown = String::new();
    let mut rest = word;
    while let Some(sign) = rest.find(['=', ':']) {
        let (name, value) = rest.split_at(sign);
        let (sign, value) = value.split_at(1);
        shown.push_str(name);
        shown.push_str(sign);
        let bare = name.trim_matches(['"', '\'']).to_ascii_lowercase();
        rest = value;
        if is_name(&bare) && !value.starts_with("//") {
            let start = value
                .find(|c| !matches!(c, '"' | '\'' | '='))
                .unwrap_or(value.len());
            let (quotes, value) = value.split_at(start);
            let end = value
                .find(['"', '\'', '&', ',', ';', '}', ')'])
                .unwrap_or(value.len());
            shown.push_str(quotes);
            let is_shown = end == 0 || value == HIDDEN;
            shown.push_str(if is_shown {
                value.get(..end).unwrap_or_default()
            } else {
                HIDDEN
            });
            rest = value.get(end..).unwrap_or_default();
        }
    }
    shown + rest
}

/// Whether a part of a word is made by a machine, and not to be read.
fn is_opaque(part: &str) -> bool {
    let begins = |(prefix, least): &(&str, usize)| part.len() >= *least && part.starts_with(prefix);
    if PREFIXES.iter().any(begins) {
        return true;
    }
    let has = |is: fn(&u8) -> bool| part.bytes().any(|byte| is(&byte));
    let is_mixed =
        has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    // Versions and host names have dots between short pieces.
    let longest = part
        .split(['.', '-', '_'])
        .map(str::len)
        .max()
        .unwrap_or_default();
    if part.len() >= MIXED && is_mixed && longest >= MIXED / 2 {
        return true;
    }
    let is_digest =
        DIGESTS.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    longest >= UNBROKEN && has(u8::is_ascii_digit) && !is_digest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_taken_out_and_sentences_left() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
        let cases = [
            (
                "requested access to the resource is denied",
                "requested access to the resource is denied",
            ),
            (
                "see https://www.docker.com/increase-rate-limit",
                "see https://www.docker.com/increase-rate-limit",
            ),
            (
                "see https://a.test/x?sig=canary&b=1#canary.",
                "see https://a.test/x",
            ),
            (
                "see <https://a.test/x?sig=canary>, then",
                "see <https://a.test/x>, then",
            ),
            ("at https://me:canary@a.test:81/x", "at https://a.test:81/x"),
            (
                "at https://a.test/,http://me:canary@b.test/x?y",
                "at https://a.test/,http://b.test/x",
            ),
            (
                "PUT /v2/a/blobs/uploads/1?_state=canary failed",
                "PUT /v2/a/blobs/uploads/1 failed",
            ),
            ("is this right?", "is this right?"),
            ("Authorization: Bearer canary1", "Authorization: Bearer ***"),
            ("authorization: Basic Y2FuYXJ5", "authorization: Basic ***"),
            (
                "Basic authentication is required",
                "Basic authentication is required",
            ),
            ("invalid Bearer token", "invalid Bearer token"),
            ("password=canary&x=1", "password=***&x=1"),
            ("bad password: canary1!", "bad password: ***!"),
            ("bad password: \"canary1\"", "bad password: \"***\""),
            (
                "{\"password\":\"canary\",\"user\":\"me\"}",
                "{\"password\":\"***\",\"user\":\"me\"}",
            ),
            ("invalid token: expired", "invalid token: expired"),
            (
                "X-Amz-Signature=canary&X-Amz-Credential=AKIACANARYCANARY0000",
                "X-Amz-Signature=***&X-Amz-Credential=***",
            ),
            ("user AKIACANARYCANARY0000 may not", "user *** may not"),
            (
                "the token ghp_canarycanary0 has expired",
                "the token *** has expired",
            ),
            ("x dckr_pat_canarycanary y", "x *** y"),
            ("Kv9xQ2mPz7LtR4nWbY8sJdF3 is no key", "*** is no key"),
            ("00112233445566778899aabbccddeeff00112233 too", "*** too"),
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a",
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a",
            ),
            (
                "request id 7e1c8a3e-4b0f-4d0b-9a53-0b4cf0a1b2c3",
                "request id 7e1c8a3e-4b0f-4d0b-9a53-0b4cf0a1b2c3",
            ),
            (
                "arn:aws:iam::123456789012:user/me is not authorized to perform: ecr:InitiateLayerUpload",
                "arn:aws:iam::123456789012:user/me is not authorized to perform: ecr:InitiateLayerUpload",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected, "{text}");
        }
        assert_eq!(
            redact(&format!("unknown blob {digest}")),
            format!("unknown blob {digest}")
        );
        assert_eq!(redact(&format!("token {jwt} x")), "token *** x");
        assert_eq!(redact(&format!("x:{jwt}")), "x:***");
    }

    proptest! {
        #[test]
        fn no_query_of_a_url_stays(before in "[a-z :=&?/]{0,40}", canary in "[a-z]{3,8}[0-9]{5}", after in "[ -~]{0,40}") {
            let shown = redact(&format!("{before} https://r.test/x?q={canary}{after}"));
            prop_assert!(!shown.contains(&canary), "{}", shown);
        }

        #[test]
        fn no_bearer_token_stays(before in "[a-z ,.]{0,40}", token in "[A-Za-z0-9._~+/-]{4,60}[0-9]", after in "( [ -~]{0,40})?") {
            prop_assume!(token.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric()));
            let shown = redact(&format!("{before} Bearer {token}{after}"));
            prop_assert!(!shown.contains(&token) || after.contains(&token), "{}", shown);
        }
    }
}
