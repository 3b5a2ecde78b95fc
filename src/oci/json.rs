// SPDX-License-Identifier: Apache-2.0

//! A strict look over the JSON of a manifest before it is read.
//!
//! Go's decoder ignores the case of keys and lets the last duplicate win; serde does neither. A
//! document that the two read differently would be copied with other layers than its users pull,
//! so every such document is refused.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::limits;

/// The keys that manifests, indexes and descriptors give a meaning to.
const KNOWN_KEYS: [&str; 21] = [
    "annotations",
    "architecture",
    "artifactType",
    "blobs",
    "config",
    "data",
    "digest",
    "fsLayers",
    "history",
    "layers",
    "manifests",
    "mediaType",
    "os",
    "os.features",
    "os.version",
    "platform",
    "schemaVersion",
    "size",
    "subject",
    "urls",
    "variant",
];

/// What a value or key of parsed JSON takes besides its text, in bytes, about: a text in a map of texts.
const VALUE_BYTES: usize = 48;

/// About how many values, keys counted too, a document has: all but the first stand behind a comma or colon. What it
/// says is found out without parsing, which is what it bounds.
pub(crate) fn count_values(bytes: &[u8]) -> usize {
    let (mut count, mut is_text, mut is_escaped) = (1, false, false);
    for byte in bytes {
        if is_escaped {
            is_escaped = false;
            continue;
        }
        match byte {
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b':' if !is_text => count += 1,
            _ => {}
        }
    }
    count
}

/// What a document takes in memory with what is parsed of it, in bytes, about.
pub(crate) fn weigh(bytes: &[u8]) -> usize {
    2 * bytes.len() + VALUE_BYTES * count_values(bytes)
}

/// The longest that an error says of what could not be read, in characters: it quotes the document.
const ERROR_LENGTH: usize = 200;

/// The same error in not too many words.
pub(crate) fn shorten(error: serde_json::Error) -> serde_json::Error {
    let text = error.to_string();
    let Some((end, _)) = text.char_indices().nth(ERROR_LENGTH) else {
        return error;
    };
    let kept = text.get(..end).unwrap_or_default();
    serde_json::Error::custom(format_args!("{kept}…"))
}

/// Refuses documents of more values than this.
pub(crate) fn check_count(bytes: &[u8], most: usize) -> Result<(), serde_json::Error> {
    if count_values(bytes) > most {
        let message = format_args!("it has more than {most} values");
        return Err(serde_json::Error::custom(message));
    }
    Ok(())
}

/// Refuses duplicate keys, other spellings of known keys, text with NUL, deep nesting, trailing data
/// and anything that is not UTF-8.
pub(super) fn check(bytes: &[u8]) -> Result<(), serde_json::Error> {
    check_count(bytes, limits::JSON_VALUES)?;
    check_keys(bytes, &KNOWN_KEYS)
}

/// The same for a document whose readers know these keys.
pub(crate) fn check_keys(bytes: &[u8], known: &[&str]) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Strict {
        known,
        depth: 0,
        free_keys: false,
    }
    .deserialize(&mut deserializer)?;
    deserializer.end()
}

/// One value: visited, checked, not kept.
#[derive(Clone, Copy)]
struct Strict<'a> {
    known: &'a [&'a str],
    depth: usize,
    /// The keys of `annotations` and `Labels` are the user's own, in any case.
    free_keys: bool,
}

impl Strict<'_> {
    fn below<E: serde::de::Error>(self, key: &str) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > limits::JSON_DEPTH {
            return Err(E::custom(format_args!(
                "nested deeper than {} levels",
                limits::JSON_DEPTH
            )));
        }
        Ok(Self {
            known: self.known,
            depth,
            free_keys: matches!(key, "annotations" | "Labels"),
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            return Err(E::custom("a text contains NUL"));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let below = self.below("")?;
        while items.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.visit_str::<A::Error>(&key)?;
            if !self.free_keys
                && let Some(known) = misspelt(&key, self.known)
            {
                return Err(A::Error::custom(format_args!(
                    "the key {key:?} is another spelling of {known:?}"
                )));
            }
            entries.next_value_seed(self.below(&key)?)?;
            if let Some(key) = seen.replace(key) {
                return Err(A::Error::custom(format_args!(
                    "the key {key:?} occurs twice"
                )));
            }
        }
        Ok(())
    }
}

/// The known key that Go's decoder would take `key` for, if it is not spelt that way.
fn misspelt<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let folded = fold(key);
    known
        .iter()
        .copied()
        .find(|known| *known != key && fold(known) == folded)
}

/// The case folding of Go's `encoding/json`: ASCII, and the two letters that Unicode folds into ASCII.
fn fold(key: &str) -> String {
    key.chars()
        .map(|character| match character {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// `null` where a map is expected: some builders write it for "none".
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_quotes_the_beginning_of_what_it_is_about() {
        let key = "ü".repeat(10_000);
        let twice = format!(r#"{{"{key}": 1, "{key}": 2}}"#);
        let told = shorten(check(twice.as_bytes()).unwrap_err()).to_string();
        assert_eq!(told.chars().count(), ERROR_LENGTH + 1, "{told}");
        let number: Result<u64, _> = serde_json::from_str(&format!("{:?}", "x".repeat(10_000)));
        let told = shorten(number.unwrap_err()).to_string();
        assert_eq!(told.chars().count(), ERROR_LENGTH + 1, "{told}");
    }

    #[test]
    fn values_are_counted_without_parsing() {
        let cases: [(&str, usize); 7] = [
            ("", 1),
            ("{}", 1),
            (r#"{"a":1}"#, 2),
            (r#"{"a":[1,2,3],"b":"c,d:e"}"#, 6),
            (r#"{"a\",:":"\\","b":1}"#, 4),
            ("[null,null]", 2),
            ("\"torn,,,", 1),
        ];
        for (text, count) in cases {
            assert_eq!(count_values(text.as_bytes()), count, "{text}");
        }
        let many = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(check(many(limits::JSON_VALUES).as_bytes()).is_ok());
        assert!(check(many(limits::JSON_VALUES + 1).as_bytes()).is_err());
    }

    #[test]
    fn documents_that_two_readers_would_read_alike_pass() {
        for text in [
            r#"{"schemaVersion":2,"layers":[],"annotations":{"a":"1","A":"2","Layers":"x"},"x":{"y":[1,2.5,-1,null,true]}}"#,
            "[]",
            "{}",
        ] {
            assert!(check(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn documents_that_two_readers_could_read_differently_are_refused() {
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        let cases: [(&str, &[u8]); 13] = [
            ("duplicate key", br#"{"layers":[],"layers":[1]}"#),
            (
                "duplicate annotation",
                br#"{"annotations":{"a":"1","a":"2"}}"#,
            ),
            (
                "case variant beside the key",
                br#"{"layers":[],"Layers":[1]}"#,
            ),
            ("case variant alone", br#"{"LAYERS":[1]}"#),
            (
                "case variant in a descriptor",
                br#"{"config":{"Digest":"x"}}"#,
            ),
            ("long s folds into s", "{\"layer\u{17f}\":[]}".as_bytes()),
            ("escaped duplicate", br#"{"layers":[],"l\u0061yers":[1]}"#),
            ("trailing data", b"{} {}"),
            ("NUL in a text", br#"{"a":"\u0000"}"#),
            ("not UTF-8", b"{\"a\":\"\xff\"}"),
            ("byte order mark", b"\xef\xbb\xbf{}"),
            ("lone surrogate", br#"{"a":"\ud800"}"#),
            ("deep nesting", deep.as_bytes()),
        ];
        for (name, text) in cases {
            assert!(check(text).is_err(), "{name}");
        }
    }
}
