// SPDX-License-Identifier: Apache-2.0

//! The fields of a file of another tool, each asked for by its name: what nobody asked for is a gap.

use super::conversion::Gap;
use crate::api::document::{DocumentError, Entry, Node, Position, Problem, Value};

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: Position,
    pub(super) path: String,
}

/// A value that cannot be what it should.
#[derive(Debug)]
pub(super) struct Fault {
    place: Place,
    problem: Problem,
}

/// A value and its place. It has no `Debug`: it may be a password.
#[derive(Clone)]
pub(super) struct Item<'a> {
    node: &'a Node,
    path: String,
}

/// A mapping, with what was asked for.
pub(super) struct Fields<'a> {
    place: Place,
    entries: &'a [Entry],
    asked: Vec<&'a str>,
}

// === impl Place ===

impl Place {
    /// That there is no counterpart for what stands here.
    pub(super) fn gap(&self, message: impl Into<String>) -> Gap {
        Gap {
            position: self.position,
            path: self.path.clone(),
            message: message.into(),
        }
    }

    /// That what stands here cannot be right.
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault {
            place: self.clone(),
            problem: Problem::Invalid(message.into()),
        }
    }
}

// === impl Fault ===

impl Fault {
    pub(super) fn in_file(self, file: &str) -> DocumentError {
        let Place { position, path } = self.place;
        DocumentError::new(file, position, path, self.problem)
    }
}

// === impl Item ===

impl<'a> Item<'a> {
    /// A whole document.
    pub(super) fn root(node: &'a Node) -> Self {
        Self {
            node,
            path: String::new(),
        }
    }

    pub(super) fn place(&self) -> Place {
        Place {
            position: self.node.position,
            path: self.path.clone(),
        }
    }

    /// The characters of a scalar: a tag `3.20` is text to most tools, quoted or not.
    pub(super) fn text(&self) -> Result<Option<String>, Fault> {
        match &self.node.value {
            Value::Null => Ok(None),
            Value::Text(text) | Value::Number(text) | Value::Boolean(_, text) => {
                Ok(Some(text.clone()))
            }
            Value::Sequence(_) | Value::Mapping(_) => Err(self.wrong("a text")),
        }
    }

    /// The items of a list, or the one item that stands in its place.
    pub(super) fn items(&self) -> Vec<Self> {
        match &self.node.value {
            Value::Null => Vec::new(),
            Value::Sequence(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Self {
                    node,
                    path: format!("{}[{index}]", self.path),
                })
                .collect(),
            Value::Text(_) | Value::Number(_) | Value::Boolean(..) | Value::Mapping(_) => {
                vec![self.clone()]
            }
        }
    }

    /// The texts of a list, or the one text that stands in its place.
    pub(super) fn texts(&self) -> Result<Vec<String>, Fault> {
        let texts: Result<Vec<Option<String>>, Fault> =
            self.items().iter().map(Self::text).collect();
        Ok(texts?.into_iter().flatten().collect())
    }

    /// A mapping.
    pub(super) fn fields(&self) -> Result<Fields<'a>, Fault> {
        match &self.node.value {
            Value::Mapping(entries) => Ok(Fields {
                place: self.place(),
                entries,
                asked: Vec::new(),
            }),
            Value::Null
            | Value::Text(_)
            | Value::Number(_)
            | Value::Boolean(..)
            | Value::Sequence(_) => Err(self.wrong("a mapping")),
        }
    }

    fn wrong(&self, expected: &str) -> Fault {
        Fault {
            place: self.place(),
            problem: self.node.wrong_type(expected),
        }
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The place of a field, or of the mapping where it is not written.
    pub(super) fn place_of(&self, name: &str) -> Place {
        let entry = self.entries.iter().find(|entry| entry.key == name);
        entry.map_or_else(|| self.place.clone(), |entry| self.item(entry).place())
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<Item<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        self.asked.push(name);
        let is_empty = matches!(entry.value.value, Value::Null);
        (!is_empty).then(|| self.item(entry))
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Fault> {
        let text = self.take(name).map_or(Ok(None), |item| item.text())?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    pub(super) fn required(&mut self, name: &'static str) -> Result<String, Fault> {
        self.text(name)?.ok_or_else(|| Fault {
            place: self.place.clone(),
            problem: Problem::MissingField(name.to_owned()),
        })
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, Fault> {
        self.take(name).map_or(Ok(Vec::new()), |item| item.texts())
    }

    pub(super) fn items(&mut self, name: &'static str) -> Vec<Item<'a>> {
        self.take(name).map_or(Vec::new(), |item| item.items())
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Fault> {
        let place = self.place_of(name);
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(place.fault("expected true or false")),
        }
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<i64>, Fault> {
        let place = self.place_of(name);
        let number = self.text(name)?.map(|text| text.parse());
        number
            .transpose()
            .map_err(|_| place.fault("expected a whole number"))
    }

    pub(super) fn fields(&mut self, name: &'static str) -> Result<Option<Self>, Fault> {
        self.take(name).map(|item| item.fields()).transpose()
    }

    /// All keys with their values, where the keys are names that a person chose.
    pub(super) fn into_pairs(self) -> Vec<(&'a str, Item<'a>)> {
        let pair = |entry: &'a Entry| (entry.key.as_str(), self.item(entry));
        self.entries.iter().map(pair).collect()
    }

    /// What has no bearing on what is copied.
    pub(super) fn pass_over(&mut self, names: &[&'static str]) {
        self.asked.extend(names);
    }

    /// What nobody asked for.
    pub(super) fn finish(self, gaps: &mut Vec<Gap>) {
        let left = self
            .entries
            .iter()
            .filter(|entry| !self.asked.contains(&entry.key.as_str()));
        gaps.extend(left.map(|entry| self.item(entry).place().gap("has no counterpart")));
    }

    fn item(&self, entry: &'a Entry) -> Item<'a> {
        let path = if self.place.path.is_empty() {
            entry.key.clone()
        } else {
            format!("{}.{}", self.place.path, entry.key)
        };
        Item {
            node: &entry.value,
            path,
        }
    }
}
