// SPDX-License-Identifier: Apache-2.0

//! The body of an answer that is an error. The specification knows one form of it
//! (distribution specification, error codes), registries and what stands before them many.

use serde_json::{Map, Value};

use super::secrets::Secrets;

/// The longest error code that is shown.
const CODE_LENGTH: usize = 40;
/// How deep the first error is looked for.
const DEPTH: usize = 6;
/// How many facts of a `detail` are shown.
const FACTS: usize = 4;

/// An error code, as the specification writes them: upper-case letters, digits and underscores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code(String);

/// The first error of a body. The text may be anything: it is to be cleaned before it is shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    pub(super) code: Option<Code>,
    pub(super) text: Option<String>,
}

// === impl Code ===

impl Code {
    /// Reads a code; some registries write them in lower case, and with other signs between the words.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_code = (1..=CODE_LENGTH).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' '));
        is_code.then(|| Self(text.to_ascii_uppercase().replace(['-', ' '], "_")))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether one of these is in it, however the signs between its words were written.
    pub(super) fn reveals(&self, secrets: &Secrets) -> bool {
        let written = ["_", "-", " "].map(|sign| self.0.replace('_', sign));
        written.iter().any(|text| secrets.redact(text) != *text)
    }
}

// === impl ErrorBody ===

impl ErrorBody {
    /// The first error of a body: JSON of any form, the XML of object stores, or the first line of plain text.
    /// A web page says nothing.
    pub(super) fn parse(content_type: &str, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        if is_web_page(content_type, body) {
            return Self::default();
        }
        match text.bytes().next() {
            Some(b'{' | b'[' | b'"') => {
                let value = serde_json::from_str(text).unwrap_or_default();
                first(&value, DEPTH)
            }
            Some(b'<') => of_xml(text),
            Some(_) if is_plain(content_type) => Self {
                code: None,
                text: text.lines().next().map(str::to_owned),
            },
            Some(_) | None => Self::default(),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether an answer is a web page, by its type or its beginning: proxies that log people in give the page
/// the type that was asked for.
pub(super) fn is_web_page(content_type: &str, body: &[u8]) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    let begins = |tag: &[u8]| {
        let text = body.trim_ascii_start();
        text.get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    content_type.contains("html") || begins(b"<!doctype html") || begins(b"<html")
}

fn is_plain(content_type: &str) -> bool {
    content_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("text/plain")
}

/// The first error in a value.
fn first(value: &Value, depth: usize) -> ErrorBody {
    let Some(depth) = depth.checked_sub(1) else {
        return ErrorBody::default();
    };
    match value {
        Value::String(text) => ErrorBody {
            code: None,
            text: non_empty(text),
        },
        Value::Array(entries) => {
            let mut found = entries.iter().map(|entry| first(entry, depth));
            found.find(|error| !error.is_empty()).unwrap_or_default()
        }
        Value::Object(fields) => of_object(fields, depth),
        Value::Null | Value::Bool(_) | Value::Number(_) => ErrorBody::default(),
    }
}

fn of_object(fields: &Map<String, Value>, depth: usize) -> ErrorBody {
    let inner = ["errors", "error", "Errors", "Error"]
        .into_iter()
        .filter_map(|name| fields.get(name));
    let inner = inner
        .map(|value| first(value, depth))
        .find(|error| !error.is_empty());
    let own = own(fields);
    match (own, inner) {
        (own, None) if own.is_empty() => of_any_field(fields, depth),
        (own, None) => own,
        // OAuth: the code stands in `error`, the words beside it (RFC 6749, section 5.2).
        (own, Some(inner)) if inner.code.is_none() && own.text.is_some() => ErrorBody {
            code: own
                .code
                .or_else(|| inner.text.as_deref().and_then(Code::read)),
            text: own.text,
        },
        (_, Some(inner)) => inner,
    }
}

/// What an object says itself.
fn own(fields: &Map<String, Value>) -> ErrorBody {
    let code = ["code", "Code", "__type"]
        .into_iter()
        .find_map(|name| match fields.get(name)? {
            Value::String(text) => Code::read(text),
            Value::Number(number) => Code::read(&number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        });
    let message = [
        "message",
        "Message",
        "msg",
        "error_description",
        "error_message",
        "description",
        "title",
        "reason",
    ]
    .into_iter()
    .find_map(|name| non_empty(fields.get(name)?.as_str()?));
    let detail = ["detail", "details", "Detail"]
        .into_iter()
        .find_map(|name| facts(fields.get(name)?));
    let text = match (message, detail) {
        (Some(message), Some(detail)) if !message.contains(&detail) => {
            let message = message.trim_end_matches([':', '.', ' ']);
            Some(format!("{message}: {detail}"))
        }
        (message, detail) => message.or(detail),
    };
    ErrorBody { code, text }
}

/// Words under a name that nobody foresaw, such as that of a field that is wrong.
fn of_any_field(fields: &Map<String, Value>, depth: usize) -> ErrorBody {
    let others = fields
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("code"));
    let named = others.map(|(name, value)| match value {
        Value::String(_) | Value::Array(_) | Value::Object(_) => {
            let found = first(value, depth);
            ErrorBody {
                text: found.text.map(|text| format!("{name}: {text}")),
                ..found
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => ErrorBody::default(),
    });
    named
        .into_iter()
        .find(|error| !error.is_empty())
        .unwrap_or_default()
}

/// The first facts of a detail, which may have any form.
fn facts(detail: &Value) -> Option<String> {
    let mut facts = Vec::new();
    collect(detail, "", DEPTH, &mut facts);
    (!facts.is_empty()).then(|| facts.join(", "))
}

fn collect(value: &Value, name: &str, depth: usize, facts: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    if facts.len() == FACTS {
        return;
    }
    let fact = match value {
        Value::Null => return,
        Value::Array(values) => {
            return values
                .iter()
                .for_each(|value| collect(value, name, depth, facts));
        }
        Value::Object(fields) => {
            return fields
                .iter()
                .for_each(|(name, value)| collect(value, name, depth, facts));
        }
        Value::String(text) if text.trim().is_empty() => return,
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    facts.push(if name.is_empty() {
        fact
    } else {
        format!("{name}={fact}")
    });
}

/// `<Error><Code>…</Code><Message>…</Message></Error>`, as S3, Azure and Google write it.
fn of_xml(text: &str) -> ErrorBody {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (content, _) = rest.split_once(&format!("</{name}>"))?;
        non_empty(content.lines().next()?)
    };
    let words = [element("Code"), element("Message")];
    let words: Vec<String> = words.into_iter().flatten().collect();
    ErrorBody {
        code: None,
        text: (!words.is_empty()).then(|| words.join(": ")),
    }
}

fn non_empty(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
