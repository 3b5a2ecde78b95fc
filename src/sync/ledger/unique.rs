// SPDX-License-Identifier: Apache-2.0

//! Names that stand twice in an object of JSON: the second one would silently take the place of the first.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Refuses a text in which an object has a name twice, and says where.
pub(super) fn refuse_twice(bytes: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice(bytes).map(|Unique| ())
}

/// A value of any shape in which no object has a name twice.
struct Unique;

struct Looking;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Looking)
    }
}

impl<'de> Visitor<'de> for Looking {
    type Value = Unique;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        while let Some(Unique) = items.next_element()? {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Unique, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!(
                    "{name:?} stands there twice"
                )));
            }
            names.insert(name);
            fields.next_value::<Unique>()?;
        }
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_each_name_once() {
        for (text, expected) in [
            (
                r#"{"a": 1, "b": {"a": [null, true, -1, 1.5, "a", {}]}}"#,
                None,
            ),
            (r#"[{"a": 1}, {"a": 2}]"#, None),
            (
                "{\"a\": {\"1.0\": {},\n \"1.0\": {}}}",
                Some("\"1.0\" stands there twice at line 2 column 6"),
            ),
            (
                r#"{"a": [{"b": 1, "\u0062": 1}]}"#,
                Some(r#""b" stands there twice at line 1 column 24"#),
            ),
        ] {
            let found = refuse_twice(text.as_bytes()).map_err(|error| error.to_string());
            assert_eq!(found.err().as_deref(), expected, "{text}");
        }
    }
}
