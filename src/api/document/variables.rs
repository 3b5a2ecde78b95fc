// SPDX-License-Identifier: Apache-2.0

//! Variables of the environment in a file, `${NAME}`: strictly, and without a change to what else the file says.
//!
//! They are told apart before the YAML is read, since `{` and `}` mean something to YAML, and put in when it has been
//! read: a value never becomes structure, and what stands in a comment is never asked for. The words are those of
//! Flux (`postBuild`) and envsubst: `${NAME:-default}` and `${NAME:=default}` have a default, and `$${` stands for `${`.

use super::deserializer::Path;
use super::error::{DocumentError, Problem};
use super::node::{Entry, Node, Value};
use super::position::Position;

/// What stands for the `$`, `{` and `}` of a variable until it is put in: characters that nobody writes, one for each,
/// so that columns stay what they are.
const MARKS: [char; 3] = ['\u{e000}', '\u{e001}', '\u{e002}'];
/// What stands for `$`, `$`, `{` and `}` where a variable is not meant.
const LITERALS: [char; 4] = ['\u{e003}', '\u{e004}', '\u{e005}', '\u{e006}'];

/// What a name stands for in the environment.
pub type VariableLookup<'a> = &'a dyn Fn(&str) -> Result<String, Unset>;

/// Why a name stands for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// There is no such variable.
    Missing,
    /// Its value is not UTF-8.
    NotText,
}

/// Puts values where variables stand.
pub(super) struct Variables<'a> {
    pub(super) lookup: VariableLookup<'a>,
    pub(super) file: &'a str,
    /// Bytes that values may still have.
    pub(super) room: usize,
}

/// The text with marks in place of the characters of variables.
pub(super) fn mark(text: &str, file: &str) -> Result<String, DocumentError> {
    let is_mark = |character: char| MARKS.contains(&character) || LITERALS.contains(&character);
    if let Some(at) = text.find(is_mark) {
        let position = position_of(text, at);
        let message = "a character of a private use area cannot stand beside variables";
        let problem = Problem::Syntax(message.to_owned());
        return Err(DocumentError::new(file, position, "", problem));
    }
    let [dollar, open, close] = MARKS;
    let [first, second, literal_open, literal_close] = LITERALS;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let Some(at) = rest.find("${") else {
            out.push_str(rest);
            return Ok(out);
        };
        let (before, variable) = rest.split_at(at);
        let inside = variable.get(2..).unwrap_or_default();
        let line = inside.lines().next().unwrap_or_default();
        let end = line.find('}');
        let name = line.get(..end.unwrap_or(0)).unwrap_or_default();
        let before = if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.extend([first, second, literal_open]);
            None
        } else {
            out.push_str(before);
            out.extend([dollar, open]);
            Some(close)
        };
        out.push_str(name);
        rest = inside.get(name.len()..).unwrap_or_default();
        if end.is_some() {
            out.push(before.unwrap_or(literal_close));
            rest = rest.get(1..).unwrap_or_default();
        }
    }
}

fn position_of(text: &str, at: usize) -> Position {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.lines().last().map_or(0, |line| line.chars().count()) + 1;
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Position {
        line: number(line),
        column: number(column),
    }
}

// === impl Variables ===

impl Variables<'_> {
    /// Puts values into an object, and into the objects of a list; what is left out stays as it was written.
    pub(super) fn set(
        &mut self,
        node: &mut Node,
        path: &Path<'_>,
        leaves_out: &dyn Fn(&Node) -> bool,
    ) -> Result<(), DocumentError> {
        if leaves_out(node) {
            return Ok(());
        }
        let is_list = node.field("kind").and_then(Node::text) == Some("List");
        let Value::Mapping(entries) = &mut node.value else {
            return self.set_value(node, path);
        };
        for entry in entries {
            if is_list
                && entry.key == "items"
                && let Value::Sequence(items) = &mut entry.value.value
            {
                let path = Path::Field(path, "items");
                for (index, item) in items.iter_mut().enumerate() {
                    self.set(item, &Path::Item(&path, index), leaves_out)?;
                }
                continue;
            }
            self.set_entry(entry, path)?;
        }
        Ok(())
    }

    fn set_entry(&mut self, entry: &mut Entry, path: &Path<'_>) -> Result<(), DocumentError> {
        if let Some(key) = self.replaced(&entry.key, entry.position, path)? {
            entry.key = key;
        }
        let Entry { key, value, .. } = entry;
        self.set_value(value, &Path::Field(path, key))
    }

    fn set_value(&mut self, node: &mut Node, path: &Path<'_>) -> Result<(), DocumentError> {
        match &mut node.value {
            Value::Null | Value::Boolean(..) | Value::Number(_) => Ok(()),
            Value::Text(text) => {
                if let Some(replaced) = self.replaced(text, node.position, path)? {
                    *text = replaced;
                    node.is_set = true;
                }
                Ok(())
            }
            Value::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.set_value(item, &Path::Item(path, index))?;
                }
                Ok(())
            }
            Value::Mapping(entries) => entries
                .iter_mut()
                .try_for_each(|entry| self.set_entry(entry, path)),
        }
    }

    /// The text with values; nothing where there is no variable in it.
    fn replaced(
        &mut self,
        text: &str,
        position: Position,
        path: &Path<'_>,
    ) -> Result<Option<String>, DocumentError> {
        let [dollar, open, close] = MARKS;
        let literal = |character: char| match character {
            character if character == LITERALS[0] => None,
            character if character == LITERALS[1] => Some('$'),
            character if character == LITERALS[2] => Some('{'),
            character if character == LITERALS[3] => Some('}'),
            character => Some(character),
        };
        let is_marked = |character: char| character == dollar || LITERALS.contains(&character);
        if !text.contains(is_marked) {
            return Ok(None);
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once(dollar) {
            out.extend(before.chars().filter_map(literal));
            let inside = behind.strip_prefix(open).unwrap_or(behind);
            let value = match inside.split_once(close) {
                Some((inside, behind)) => {
                    rest = behind;
                    self.value(inside)
                }
                None => {
                    Err("a variable is not closed: write ${NAME}, or $${ for ${ itself".to_owned())
                }
            };
            let value = value.map_err(|message| {
                let problem = Problem::Invalid(message);
                DocumentError::new(self.file, position, path.render(), problem)
            })?;
            out.push_str(&value);
        }
        out.extend(rest.chars().filter_map(literal));
        Ok(Some(out))
    }

    /// The value of what stands between the braces.
    fn value(&mut self, inside: &str) -> Result<String, String> {
        let (name, default) = match inside.find([':', '-', '=']) {
            Some(at) => {
                let (name, rest) = inside.split_at(at);
                let default = rest.strip_prefix(":-").or(rest.strip_prefix(":="));
                match default {
                    Some(default) => (name, Some(default)),
                    None => (inside, None),
                }
            }
            None => (inside, None),
        };
        if !is_name(name) {
            return Err(format!(
                "variable {inside:?} is not understood: write ${{NAME}} or ${{NAME:-default}}, or $${{ for ${{ itself"
            ));
        }
        let value = match ((self.lookup)(name), default) {
            (Ok(value), None) => value,
            (Ok(value), Some(_)) if !value.is_empty() => value,
            (Ok(_) | Err(Unset::Missing), Some(default)) => default.to_owned(),
            (Err(Unset::Missing), None) => {
                return Err(format!(
                    "variable {name} is not set: set it, write ${{{name}:-default}}, or $${{ for ${{ itself"
                ));
            }
            (Err(Unset::NotText), _) => return Err(format!("variable {name} is not UTF-8")),
        };
        self.room = self
            .room
            .checked_sub(value.len())
            .ok_or_else(|| format!("with the value of variable {name} the file is too large"))?;
        Ok(value)
    }
}

/// As POSIX has them: letters, digits and `_`, no digit in front.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(is_part)
        && text
            .bytes()
            .next()
            .is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests;
