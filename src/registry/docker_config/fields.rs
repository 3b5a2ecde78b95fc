// SPDX-License-Identifier: Apache-2.0

//! Objects read field by field, as Go's `encoding/json` reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// An object whose fields are taken one by one.
pub(super) trait Fields: Default {
    /// What stands for a value that is no object, or why it must be one.
    fn of_another_type() -> Result<Self, &'static str> {
        Err("an object is expected")
    }

    /// Takes a field that is known. The name has no capitals.
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        value: Value<'_, A>,
    ) -> Result<(), A::Error>;
}

/// The value of a field that has not been read yet.
pub(super) struct Value<'a, A>(&'a mut A);

/// A text, null, or anything else, of which nothing is kept.
#[derive(Deserialize)]
#[serde(from = "serde_json::Value")]
enum Text {
    Some(String),
    None,
    Other,
}

struct FieldsVisitor<T>(PhantomData<T>);

// === impl Text ===

impl From<serde_json::Value> for Text {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value::{Array, Bool, Null, Number, Object, String};

        match value {
            String(text) => Self::Some(text),
            Null => Self::None,
            Bool(_) | Number(_) | Array(_) | Object(_) => Self::Other,
        }
    }
}

// === impl Value ===

impl<'de, A: MapAccess<'de>> Value<'_, A> {
    /// Reads the value into its place, where it is not null.
    pub(super) fn set<T: Deserialize<'de>>(self, place: &mut T) -> Result<(), A::Error> {
        if let Some(value) = self.0.next_value()? {
            *place = value;
        }
        Ok(())
    }

    /// Adds the entries of a map to those that are there; null removes them.
    pub(super) fn merge<T>(self, place: &mut BTreeMap<String, T>) -> Result<(), A::Error>
    where
        T: DeserializeOwned + Default,
    {
        match self.0.next_value::<Option<BTreeMap<String, Option<T>>>>()? {
            None => place.clear(),
            Some(entries) => place.extend(
                entries
                    .into_iter()
                    .map(|(key, entry)| (key, entry.unwrap_or_default())),
            ),
        }
        Ok(())
    }

    /// Reads the value into its place as a text. One of another type is no failure of the file: false.
    pub(super) fn set_text(self, place: &mut impl From<String>) -> Result<bool, A::Error> {
        match self.0.next_value()? {
            Text::Some(text) => *place = text.into(),
            Text::None => {}
            Text::Other => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn skip(self) -> Result<(), A::Error> {
        self.0.next_value().map(|IgnoredAny| ())
    }
}

// === reading ===

/// Reads an object field by field.
pub(super) fn read_fields<'de, T: Fields, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(FieldsVisitor(PhantomData))
}

impl<'de, T: Fields> Visitor<'de> for FieldsVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    // What is no object is judged by what it is read for.
    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<T, E> {
        T::of_another_type().map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<T, E> {
        T::of_another_type().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<T, E> {
        T::of_another_type().map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<T, E> {
        T::of_another_type().map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<T, E> {
        T::of_another_type().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<T, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        T::of_another_type().map_err(serde::de::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut fields = T::default();
        while let Some(name) = map.next_key::<String>()? {
            fields.take(&name.to_ascii_lowercase(), Value(&mut map))?;
        }
        Ok(fields)
    }
}
