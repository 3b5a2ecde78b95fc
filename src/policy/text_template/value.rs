// SPDX-License-Identifier: Apache-2.0

//! Fields of values, and whether they are anything.

use std::borrow::Cow;

use serde_json::Value;

use super::error::TextTemplateError;

/// A field of a value, or a literal.
pub(super) fn operand<'a>(
    word: &str,
    value: &'a Value,
) -> Result<Cow<'a, Value>, TextTemplateError> {
    if let Some(text) = word.strip_prefix('"') {
        return Ok(Cow::Owned(Value::String(text.to_owned())));
    }
    if let Ok(number) = word.parse::<u64>() {
        return Ok(Cow::Owned(number.into()));
    }
    let path = word
        .strip_prefix('.')
        .ok_or_else(|| TextTemplateError::Word(word.to_owned()))?;
    let mut found = value;
    for field in path.split('.').filter(|field| !field.is_empty()) {
        found = match found {
            Value::Object(map) => map.get(field).ok_or_else(|| TextTemplateError::Field {
                field: field.to_owned(),
                known: map.keys().take(20).cloned().collect::<Vec<_>>().join(", "),
            })?,
            Value::Null => &Value::Null,
            Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(TextTemplateError::Field {
                    field: field.to_owned(),
                    known: "none below that".to_owned(),
                });
            }
        };
    }
    Ok(Cow::Borrowed(found))
}

/// What a value has at a key.
pub(super) fn at<'a>(
    found: Cow<'a, Value>,
    key: &Value,
) -> Result<Cow<'a, Value>, TextTemplateError> {
    fn inner<'v>(found: &'v Value, key: &Value) -> Result<&'v Value, TextTemplateError> {
        let inner = match (found, key) {
            (Value::Object(map), Value::String(key)) => map.get(key),
            (Value::Array(items), Value::Number(place)) => {
                let place = place.as_u64().and_then(|place| usize::try_from(place).ok());
                place.and_then(|place| items.get(place))
            }
            (Value::Null, _) => None,
            _ => return Err(TextTemplateError::Operand("index")),
        };
        Ok(inner.unwrap_or(&Value::Null))
    }
    Ok(match found {
        Cow::Borrowed(found) => Cow::Borrowed(inner(found, key)?),
        Cow::Owned(found) => Cow::Owned(inner(&found, key)?.clone()),
    })
}

/// Whether a value is anything, as Go sees it.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_set) => *is_set,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}
