// SPDX-License-Identifier: Apache-2.0

//! YAML as a tree in which every value knows its place in the file.
//!
//! Reading the tree first, and the types from the tree, is what lets an error name the field's path
//! besides its line, and lets a quoted `"3.20"` be told apart from a number.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, Spanned};

use super::error::Problem;
use super::position::Position;

/// Deepest nesting of lists and mappings; the resources need about ten.
const DEPTH: usize = 48;
/// Most documents in one file.
const DOCUMENTS: usize = 1_024;
/// Most values in one file.
const VALUES: usize = 100_000;
/// Most values that aliases may add to them.
const ALIASED_VALUES: usize = 10_000;

/// A value and its place.
pub(crate) struct Node {
    pub(crate) position: Position,
    pub(crate) value: Value,
    /// Whether the environment says the text, or a part of it: then it may as well be a number or a boolean.
    pub(super) is_set: bool,
}

/// A YAML value.
pub(crate) enum Value {
    Null,
    /// A boolean, and as it was written: `on` is one as well.
    Boolean(bool, String),
    /// A number as it was written.
    Number(String),
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// One `key: value` of a mapping.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) position: Position,
    pub(crate) value: Node,
}

/// Why a text is not YAML.
pub(super) struct SyntaxError {
    pub(crate) position: Position,
    pub(super) message: String,
}

/// Reads all documents of a file; empty ones are left out.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH,
            max_documents: DOCUMENTS,
            max_nodes: VALUES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: ALIASED_VALUES,
        },
        // Found again in the tree, where the path is known.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let documents: Vec<Spanned<Raw>> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| SyntaxError::new(&error, text))?;
    Ok(documents
        .into_iter()
        .map(|document| Node::new(document, text))
        .collect())
}

/// A value as serde-saphyr delivers it.
enum Raw {
    Null,
    Boolean(bool),
    Number,
    Text(String),
    Sequence(Vec<Spanned<Self>>),
    Mapping(Vec<(Spanned<String>, Spanned<Self>)>),
}

// === impl Node ===

impl Node {
    fn new(raw: Spanned<Raw>, source: &str) -> Self {
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Boolean(boolean) => Value::Boolean(boolean, written(raw.defined, source)),
            Raw::Number => Value::Number(written(raw.defined, source)),
            Raw::Text(text) => Value::Text(text),
            Raw::Sequence(items) => Value::Sequence(
                items
                    .into_iter()
                    .map(|item| Self::new(item, source))
                    .collect(),
            ),
            Raw::Mapping(entries) => Value::Mapping(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        position: key.referenced.into(),
                        key: key.value,
                        value: Self::new(value, source),
                    })
                    .collect(),
            ),
        };
        Self {
            position: raw.referenced.into(),
            value,
            is_set: false,
        }
    }

    /// The value of a key, where this is a mapping that has it.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Mapping(entries) => entries
                .iter()
                .find(|entry| entry.key == name)
                .map(|entry| &entry.value),
            Value::Null
            | Value::Boolean(..)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Sequence(_) => None,
        }
    }

    /// That something else is expected here. The value is not named: it may be a secret.
    pub(crate) fn wrong_type(&self, expected: &str) -> Problem {
        let found = match &self.value {
            Value::Null => "nothing",
            Value::Boolean(..) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        };
        Problem::WrongType {
            expected: expected.to_owned(),
            found,
            fields: Vec::new(),
        }
    }

    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null
            | Value::Boolean(..)
            | Value::Number(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => None,
        }
    }
}

/// The characters of a scalar in the file: a number must be reported as it was written.
fn written(location: Location, source: &str) -> String {
    let span = location.span();
    let text = span
        .byte_offset()
        .zip(span.byte_len())
        .and_then(|(start, length)| {
            let start = usize::try_from(start).ok()?;
            source.get(start..start.checked_add(usize::try_from(length).ok()?)?)
        });
    text.unwrap_or_default().trim().to_owned()
}

// === impl SyntaxError ===

impl SyntaxError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's errors are many and open-ended"
    )]
    fn new(error: &Error, source: &str) -> Self {
        let position = error
            .location()
            .map_or(Position { line: 1, column: 1 }, Position::from);
        let message = match cause(error) {
            Error::AliasReplayLimitExceeded { .. } => {
                format!("the aliases stand for more than {ALIASED_VALUES} values")
            }
            Error::Budget { .. } => {
                "the file has too many values or nests them too deeply".to_owned()
            }
            // What stands there may be a password that nobody put in quotes.
            Error::UnsupportedTag { .. } => {
                "a tag of YAML is not supported: put a text that begins with ! in quotes".to_owned()
            }
            other => {
                let message = other.to_string();
                // The position stands in front of the message already.
                let end = message.find(" at line ").unwrap_or(message.len());
                let message = message.get(..end).unwrap_or_default();
                format!("{message}{}", mend(message, line_of(source, position)))
            }
        };
        Self { position, message }
    }
}

/// The line on which something is wrong.
fn line_of(source: &str, position: Position) -> &str {
    let number = usize::try_from(position.line).unwrap_or(usize::MAX);
    source
        .lines()
        .nth(number.saturating_sub(1))
        .unwrap_or_default()
}

/// What to do about a line that is no YAML. Nothing of it is repeated: it may be a secret.
fn mend(message: &str, line: &str) -> &'static str {
    if message.contains("tab") && line.contains('\t') {
        return ": indent with blanks";
    }
    if message.contains("alias") {
        return ": a text that begins with * or & stands for something else in YAML, put it in quotes, as in tags: [\"*\"]";
    }
    if line.contains("{{") {
        return ": this is a template, render it first, as with helm template";
    }
    if has_placeholder(line) {
        return ": put a text with { } in quotes, as in repository: \"mirror/{repository}\"";
    }
    if message.contains("`@'") || message.contains("``'") || message.contains("`%'") {
        return ": put a text that begins with it in quotes";
    }
    if message.contains("quote") {
        return ": a text that begins with a quote must end with one";
    }
    let is_indentation = [
        "did not find expected key",
        "did not find expected '-' indicator",
        "mapping values are not allowed",
    ];
    if is_indentation.iter().any(|part| message.contains(part)) {
        return ": lines that belong together begin in the same column, and what belongs to a line further to the right";
    }
    ""
}

/// Whether a line has a template of ours, such as `{repository}`, without quotes around it.
fn has_placeholder(line: &str) -> bool {
    let is_word = |inside: &str| {
        let mut letters = inside.chars();
        !inside.is_empty() && letters.all(|letter| letter.is_ascii_alphanumeric())
    };
    let mut parts = line.split('{').skip(1);
    !line.contains(['"', '\''])
        && parts.any(|part| {
            part.split_once('}')
                .is_some_and(|(inside, _)| is_word(inside))
        })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors are many and open-ended"
)]
fn cause(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => cause(error),
        other => other,
    }
}

// === impl Raw ===

struct RawVisitor;

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: de::Error>(self, boolean: bool) -> Result<Raw, E> {
        Ok(Raw::Boolean(boolean))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut sequence = Vec::new();
        while let Some(item) = items.next_element()? {
            sequence.push(item);
        }
        Ok(Raw::Sequence(sequence))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Raw::Mapping(mapping))
    }
}
