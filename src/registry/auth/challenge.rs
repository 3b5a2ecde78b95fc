// SPDX-License-Identifier: Apache-2.0

//! What a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1).
//!
//! Read by hand: the crate for it refuses a whole line for one value that stands without quotes although
//! it needs them, and registries write `realm=/` (regclient#265) and `realm=https://a.test/token`.

use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

/// The longest header line that is read, in bytes.
pub(super) const HEADER_BYTES: usize = 16 * 1024;
/// The most challenges that are read.
pub(super) const CHALLENGES: usize = 16;

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
        /// What the token has to be for, unchecked.
        scope: Option<String>,
    },
}

/// A challenge as it is written, with the parameters that mean something to us.
#[derive(Default)]
struct Written<'a> {
    scheme: &'a str,
    realm: Option<String>,
    service: Option<String>,
    scope: Option<String>,
}

/// A piece of a header line.
enum Item<'a> {
    /// The name of a scheme begins a challenge.
    Scheme(&'a str),
    /// Name and value, which belong to the scheme before.
    Parameter(&'a str, String),
}

/// What of a header line has not been read yet: ASCII.
struct Reader<'a>(&'a str);

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

/// The challenges in the order in which they are to be answered: token servers, then user name and password.
pub(super) fn by_preference(headers: &HeaderMap) -> Vec<Challenge> {
    let mut challenges = parse(headers);
    challenges.sort_by_key(|challenge| *challenge == Challenge::Basic);
    challenges
}

fn parse_line(line: &HeaderValue) -> Vec<Challenge> {
    let text = to_ascii(line);
    let mut reader = Reader(&text);
    let mut written: Vec<Written<'_>> = Vec::new();
    while let Some(item) = reader.item() {
        match item {
            Item::Scheme(scheme) if written.len() < CHALLENGES => written.push(Written {
                scheme,
                ..Written::default()
            }),
            Item::Scheme(_) => break,
            Item::Parameter(name, value) => match written.last_mut() {
                Some(challenge) => challenge.set(name, value),
                None => break,
            },
        }
    }
    written.into_iter().filter_map(Written::known).collect()
}

/// Realms of basic authentication are names for people, in any encoding; they must not hide the rest of the line.
fn to_ascii(line: &HeaderValue) -> String {
    let ascii = |byte: &u8| {
        if byte.is_ascii() {
            char::from(*byte)
        } else {
            '?'
        }
    };
    line.as_bytes().iter().map(ascii).collect()
}

// === impl Written ===

impl Written<'_> {
    /// Takes a parameter that is known. Of several with one name the first counts.
    fn set(&mut self, name: &str, value: String) {
        let known = [
            ("realm", &mut self.realm),
            ("service", &mut self.service),
            ("scope", &mut self.scope),
        ];
        for (known, place) in known {
            if name.eq_ignore_ascii_case(known) {
                place.get_or_insert(value);
                return;
            }
        }
    }

    fn known(self) -> Option<Challenge> {
        let non_empty = |value: Option<String>| value.filter(|text| !text.is_empty());
        if self.scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !self.scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Some(Challenge::Bearer {
            realm: non_empty(self.realm)?,
            service: non_empty(self.service),
            scope: non_empty(self.scope),
        })
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// The next scheme or parameter; nothing at the end, and from what cannot be read on.
    fn item(&mut self) -> Option<Item<'a>> {
        // Some write semicolons between parameters, as in other headers.
        self.0 = self.0.trim_start_matches([' ', '\t', ',', ';']);
        let word = self.word(is_of_token);
        if word.is_empty() {
            return None;
        }
        if let Some(value) = trim(self.0).strip_prefix('=') {
            self.0 = trim(value);
            return Some(Item::Parameter(word, self.value(word)?));
        }
        self.skip_token68();
        Some(Item::Scheme(word))
    }

    /// What there is of these characters.
    fn word(&mut self, is_of_word: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !is_of_word(c)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    /// The value of the parameter `name`, with quotes or without.
    fn value(&mut self, name: &str) -> Option<String> {
        if let Some(quoted) = self.0.strip_prefix('"') {
            self.0 = quoted;
            return self.quoted();
        }
        if let Some((value, rest)) = self.in_single_quotes() {
            self.0 = rest;
            return Some(value.to_owned());
        }
        let mut value = self.bare()?.to_owned();
        // `scope=repository:a:pull,push`: what follows is neither a scheme nor a parameter.
        while name.eq_ignore_ascii_case("scope")
            && let Some(action) = self.action()
        {
            value.push(',');
            value.push_str(action);
        }
        Some(value)
    }

    /// A text in the quotes that are none here, and what stands behind it: some write them (lysine-dev/okhttp#6743).
    fn in_single_quotes(&self) -> Option<(&'a str, &'a str)> {
        self.0.strip_prefix('\'')?.split_once('\'')
    }

    /// The rest of a text in quotes; nothing where the last quote is missing.
    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut rest = self.0.chars();
        loop {
            match rest.next()? {
                '"' => break,
                '\\' => value.push(rest.next()?),
                character => value.push(character),
            }
        }
        self.0 = rest.as_str();
        Some(value)
    }

    /// A value without quotes. One with a quote or an escape inside means something else.
    fn bare(&mut self) -> Option<&'a str> {
        let value = self.word(|c| !matches!(c, ',' | ' ' | '\t'));
        (!value.contains(['"', '\\'])).then_some(value)
    }

    /// One more action of a scope without quotes, behind a comma.
    fn action(&mut self) -> Option<&'a str> {
        let mut ahead = Reader(self.0.strip_prefix(',')?);
        let action = ahead.word(|c| c.is_ascii_lowercase() || matches!(c, '*' | '_'));
        if action.is_empty() || !(ahead.0.is_empty() || ahead.0.starts_with(',')) {
            return None;
        }
        self.0 = ahead.0;
        Some(action)
    }

    /// Leaves out what other schemes have in place of parameters: `Negotiate YQ==`.
    fn skip_token68(&mut self) {
        let mut ahead = Reader(trim(self.0));
        let data = ahead.word(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        let behind = trim(ahead.0.trim_start_matches('='));
        if !data.is_empty() && (behind.is_empty() || behind.starts_with(',')) {
            self.0 = behind;
        }
    }
}

fn trim(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// Whether names of schemes and parameters have such a character (RFC 9110, section 5.6.2).
fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}
