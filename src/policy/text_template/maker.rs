// SPDX-License-Identifier: Apache-2.0

//! Makes text of templates, within bounds: neither much text nor much work comes of a short template.

use std::borrow::Cow;
use std::io;

use serde_json::Value;

use super::error::TextTemplateError;
use super::node::Node;
use super::value::{at, is_true, operand};

/// How many bytes of text one step counts as.
const STEP: usize = 4;

/// What writes, until it has written or done as much as it may.
pub(super) struct Maker {
    text: String,
    /// How many bytes of text it may make, those that are only looked at among them.
    most: usize,
    room: usize,
    /// How many steps it may take, each counted as some bytes.
    steps: usize,
}

// === impl Maker ===

impl Maker {
    /// Makes text of at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            text: String::new(),
            most,
            room: most,
            steps: most / STEP,
        }
    }

    /// What was made.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Writes what parts of a template make of a value.
    pub(super) fn render(
        &mut self,
        nodes: &[Node],
        value: &Value,
    ) -> Result<(), TextTemplateError> {
        for node in nodes {
            self.step()?;
            match node {
                Node::Text(literal) => self.write(literal)?,
                Node::Show(words) => self.show(words, value)?,
                Node::When(words, body, otherwise) => {
                    let found = self.evaluate(words, value)?;
                    let is_set = is_true(&found);
                    self.render(if is_set { body } else { otherwise }, value)?;
                }
                Node::Each(words, body, otherwise) => {
                    let items = self.evaluate(words, value)?;
                    let items: Vec<&Value> = match &*items {
                        Value::Array(items) => items.iter().collect(),
                        Value::Object(map) => map.values().collect(),
                        Value::Null => Vec::new(),
                        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                            return Err(TextTemplateError::Operand("range"));
                        }
                    };
                    for item in &items {
                        self.step()?;
                        self.render(body, item)?;
                    }
                    if items.is_empty() {
                        self.render(otherwise, value)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes the value of an action.
    fn show(&mut self, words: &[String], value: &Value) -> Result<(), TextTemplateError> {
        if is_maker(words) {
            return self.make(words, value);
        }
        let found = self.evaluate(words, value)?;
        self.plain(&found)
    }

    /// The value of an action: of a field, or of a function with what it takes.
    fn evaluate<'v>(
        &mut self,
        words: &[String],
        value: &'v Value,
    ) -> Result<Cow<'v, Value>, TextTemplateError> {
        if is_maker(words) {
            let start = self.text.len();
            self.make(words, value)?;
            return Ok(Cow::Owned(Value::String(self.text.split_off(start))));
        }
        match words {
            [] => Err(TextTemplateError::Word(String::new())),
            [function, ..] if function == "len" => {
                Ok(Cow::Owned(match &*taken(words, 1, value)? {
                    Value::Array(items) => items.len().into(),
                    Value::Object(map) => map.len().into(),
                    Value::String(text) => text.len().into(),
                    Value::Null => 0.into(),
                    Value::Bool(_) | Value::Number(_) => {
                        return Err(TextTemplateError::Operand("len"));
                    }
                }))
            }
            [function, _, keys @ ..] if function == "index" => {
                let mut found = taken(words, 1, value)?;
                for key in keys {
                    self.step()?;
                    found = at(found, &*operand(key, value)?)?;
                }
                Ok(found)
            }
            [word] => operand(word, value),
            [..] => Err(TextTemplateError::Word(words.join(" "))),
        }
    }

    /// Writes what a function makes that makes text.
    fn make(&mut self, words: &[String], value: &Value) -> Result<(), TextTemplateError> {
        let function = words.first().map(String::as_str).unwrap_or_default();
        match function {
            "json" => {
                let found = taken(words, 1, value)?;
                // Nothing else goes wrong than that it becomes too long.
                serde_json::to_writer(&mut *self, &*found).map_err(|_| self.too_long())
            }
            "upper" | "lower" => {
                let start = self.text.len();
                self.plain(&*taken(words, 1, value)?)?;
                let made = self.text.split_off(start);
                self.room += made.len();
                self.write(&if function == "upper" {
                    made.to_uppercase()
                } else {
                    made.to_lowercase()
                })
            }
            "join" => {
                let found = taken(words, 1, value)?;
                let Value::Array(items) = &*found else {
                    return Err(TextTemplateError::Operand("join"));
                };
                let between = taken(words, 2, value)?;
                self.join(items, |maker| maker.plain(&between))
            }
            _ => {
                for (place, word) in words.iter().skip(1).enumerate() {
                    self.step()?;
                    self.write(if place > 0 { " " } else { "" })?;
                    self.plain(&*operand(word, value)?)?;
                }
                self.write(if function == "println" { "\n" } else { "" })
            }
        }
    }

    /// Writes a value as Go prints it: lists in brackets, maps as `map[key:value]`.
    fn plain(&mut self, value: &Value) -> Result<(), TextTemplateError> {
        match value {
            Value::Null => self.write("<no value>"),
            Value::String(text) => self.write(text),
            Value::Bool(_) | Value::Number(_) => self.write(&value.to_string()),
            Value::Array(items) => {
                self.write("[")?;
                self.join(items, |maker| maker.write(" "))?;
                self.write("]")
            }
            Value::Object(map) => {
                self.write("map[")?;
                for (place, (key, value)) in map.iter().enumerate() {
                    self.write(if place > 0 { " " } else { "" })?;
                    self.write(key)?;
                    self.write(":")?;
                    self.plain(value)?;
                }
                self.write("]")
            }
        }
    }

    fn join(
        &mut self,
        items: &[Value],
        between: impl Fn(&mut Self) -> Result<(), TextTemplateError>,
    ) -> Result<(), TextTemplateError> {
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                between(self)?;
            }
            self.plain(item)?;
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), TextTemplateError> {
        self.room = match self.room.checked_sub(text.len()) {
            Some(room) => room,
            None => return Err(self.too_long()),
        };
        self.text.push_str(text);
        Ok(())
    }

    fn step(&mut self) -> Result<(), TextTemplateError> {
        match self.steps.checked_sub(1) {
            Some(steps) => self.steps = steps,
            None => return Err(TextTemplateError::TooLarge),
        }
        Ok(())
    }

    fn too_long(&self) -> TextTemplateError {
        TextTemplateError::TooLong(self.most)
    }
}

/// As JSON is written: it is UTF-8 as a whole, and so is what it hands over at once.
impl io::Write for Maker {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        Self::write(self, text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether an action is of a function that makes text.
fn is_maker(words: &[String]) -> bool {
    let function = words.first().map(String::as_str);
    matches!(
        function,
        Some("json" | "println" | "print" | "upper" | "lower" | "join")
    )
}

/// What a function is given at a place, from 1 on.
fn taken<'v>(
    words: &[String],
    place: usize,
    value: &'v Value,
) -> Result<Cow<'v, Value>, TextTemplateError> {
    match words.get(place) {
        Some(word) => operand(word, value),
        None => Err(TextTemplateError::Word(words.join(" "))),
    }
}
