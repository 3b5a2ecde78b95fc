// SPDX-License-Identifier: Apache-2.0

//! Reads a type from a [`Node`], keeping the path for errors.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{Problem, ValueError};
use super::node::{Entry, Node, Value};

/// The way from the document to a value.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Document,
    Field(&'a Self, &'a str),
    Item(&'a Self, usize),
}

/// One value to read a type from.
#[derive(Clone, Copy)]
pub(super) struct NodeDeserializer<'a> {
    node: &'a Node,
    path: Path<'a>,
    /// Inside a Secret no error may name a value.
    secret: bool,
}

// === impl Path ===

impl Path<'_> {
    pub(super) fn render(&self) -> String {
        match self {
            Path::Document => String::new(),
            Path::Field(Path::Document, name) => (*name).to_owned(),
            Path::Field(parent, name) => format!("{}.{name}", parent.render()),
            Path::Item(parent, index) => format!("{}[{index}]", parent.render()),
        }
    }
}

// === impl NodeDeserializer ===

impl<'a> NodeDeserializer<'a> {
    pub(super) fn new(node: &'a Node, path: Path<'a>, secret: bool) -> Self {
        Self { node, path, secret }
    }

    fn place(&self, error: ValueError) -> ValueError {
        error.at(self.node.position, || self.path.render())
    }

    fn wrong_type<T>(&self, expected: &str) -> Result<T, ValueError> {
        Err(self.place(ValueError::new(self.node.wrong_type(expected))))
    }

    fn text(&self) -> Result<&'a str, ValueError> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            Value::Number(written) if !self.secret => Err(self.unquoted("number", written.clone())),
            Value::Boolean(_, written) if !self.secret => {
                Err(self.unquoted("boolean", written.clone()))
            }
            Value::Number(_) | Value::Boolean(..) => self.wrong_type("a string in quotes"),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => self.wrong_type("a string"),
        }
    }

    fn unquoted(&self, what: &'static str, written: String) -> ValueError {
        self.place(ValueError::new(Problem::Unquoted { what, written }))
    }

    fn entries(&self) -> Result<&'a [Entry], ValueError> {
        match &self.node.value {
            Value::Mapping(entries) => Ok(entries),
            Value::Null
            | Value::Boolean(..)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Sequence(_) => self.wrong_type("a mapping"),
        }
    }

    fn visit_integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let ((Value::Number(written), _) | (Value::Text(written), true)) =
            (&self.node.value, self.node.is_set)
        else {
            return self.wrong_type("a whole number");
        };
        match written.parse() {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => Err(ValueError::new(Problem::NotWhole(written.clone()))),
        }
        .map_err(|error: ValueError| self.place(error))
    }

    fn visit_entries<'de, V: Visitor<'de>>(
        self,
        known: &[&str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let entries = self.entries().map_err(|error| error.with_fields(known))?;
        let entries = Entries {
            all: entries,
            rest: entries.iter(),
            known,
            current: None,
            parent: &self.path,
            secret: self.secret,
        };
        visitor
            .visit_map(entries)
            .map_err(|error| self.place(error))
    }
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Boolean(boolean, _) => visitor.visit_bool(*boolean),
            Value::Number(_) => self.visit_integer(visitor),
            Value::Text(text) => visitor.visit_str(text),
            Value::Sequence(_) => self.deserialize_seq(visitor),
            Value::Mapping(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match &self.node.value {
            Value::Boolean(boolean, _) => visitor.visit_bool(*boolean),
            Value::Text(text) if self.node.is_set && text == "true" => visitor.visit_bool(true),
            Value::Text(text) if self.node.is_set && text == "false" => visitor.visit_bool(false),
            Value::Null
            | Value::Number(_)
            | Value::Text(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => self.wrong_type("true or false"),
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.visit_integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.visit_integer(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor
            .visit_str(self.text()?)
            .map_err(|error: ValueError| self.place(error))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match &self.node.value {
            Value::Null => visitor.visit_none(),
            Value::Boolean(..)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => visitor.visit_some(self),
        }
        .map_err(|error| self.place(error))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let Value::Sequence(items) = &self.node.value else {
            return self.wrong_type("a list");
        };
        let items = Items {
            rest: items.iter().enumerate(),
            parent: &self.path,
            secret: self.secret,
        };
        visitor.visit_seq(items).map_err(|error| self.place(error))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.visit_entries(&[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.visit_entries(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let variant: StrDeserializer<'_, ValueError> = self.text()?.into_deserializer();
        visitor
            .visit_enum(variant)
            .map_err(|error| self.place(error))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor
            .visit_newtype_struct(self)
            .map_err(|error| self.place(error))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct tuple tuple_struct identifier
    }
}

/// The items of a list that are still to be read.
struct Items<'a> {
    rest: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
    parent: &'a Path<'a>,
    secret: bool,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        let Some((index, node)) = self.rest.next() else {
            return Ok(None);
        };
        let item = NodeDeserializer::new(node, Path::Item(self.parent, index), self.secret);
        seed.deserialize(item)
            .map(Some)
            .map_err(|error| item.place(error))
    }
}

/// The entries of a mapping that are still to be read.
struct Entries<'a> {
    all: &'a [Entry],
    rest: std::slice::Iter<'a, Entry>,
    known: &'a [&'a str],
    current: Option<&'a Entry>,
    parent: &'a Path<'a>,
    secret: bool,
}

impl Entries<'_> {
    /// The field on a line above an entry to which it would belong if it was indented further.
    fn open_above(&self, entry: &Entry) -> Option<&str> {
        let place = self
            .all
            .iter()
            .position(|one| one.position == entry.position)?;
        let above = self.all.get(place.checked_sub(1)?)?;
        let is_open = match &above.value.value {
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => true,
            Value::Boolean(..) | Value::Number(_) | Value::Text(_) => false,
        };
        (is_open && above.position.line < entry.position.line).then_some(&above.key)
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        // As for the API server, a known field without a value is one that is not written.
        let is_unset = |entry: &&Entry| {
            matches!(entry.value.value, Value::Null) && self.known.contains(&entry.key.as_str())
        };
        self.current = self.rest.find(|entry| !is_unset(entry));
        let Some(entry) = self.current else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, ValueError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| {
            let above = self.open_above(entry);
            let error: ValueError = error.below(above);
            error.at(entry.position, || self.parent.render())
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ValueError> {
        let Some(entry) = self.current.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        let path = Path::Field(self.parent, &entry.key);
        let value = NodeDeserializer::new(&entry.value, path, self.secret);
        seed.deserialize(value).map_err(|error| value.place(error))
    }
}
