// SPDX-License-Identifier: Apache-2.0

//! YAML as a person would write it: what fits on a line stands on one.
//!
//! Written by hand, since no serializer writes comments, or chooses the short form where it fits.

use std::fmt::{self, Write as _};

/// Longest line of what could as well stand on several.
const WIDTH: usize = 150;
/// Longest line of two maps, which otherwise stand on a line each.
const PAIR_WIDTH: usize = 120;
/// Words that YAML 1.1 or 1.2 reads as something else than text.
const WORDS: [&str; 11] = [
    "true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf",
];

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Yaml {
    /// Text, quoted where it has to be.
    Text(String),
    /// A number or boolean.
    Bare(String),
    List(Vec<Self>),
    Map(Vec<(&'static str, Self)>),
    /// Texts under names that are texts, too.
    Pairs(Vec<(String, String)>),
    /// A text of several lines.
    Lines(Vec<String>),
    /// A value with comments above it.
    Noted(Vec<String>, Box<Self>),
}

/// Writes a document.
pub(super) fn document(root: &[(&'static str, Yaml)]) -> String {
    let mut text = String::new();
    map(root, 0, &mut text);
    text
}

/// Comments, one a line.
pub(super) fn comments(lines: &[String], indent: usize, out: &mut String) {
    for line in lines {
        let line = line.replace(['\n', '\r'], " ");
        let _ = writeln!(out, "{:indent$}# {line}", "");
    }
}

// === impl Yaml ===

impl Yaml {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    pub(super) fn bare(value: impl fmt::Display) -> Self {
        Self::Bare(format!("{value}"))
    }

    /// The value on one line, where it can stand on one.
    fn flow(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(scalar(text)),
            Self::Bare(text) => Some(text.clone()),
            Self::Noted(..) | Self::Lines(_) => None,
            Self::Pairs(pairs) => {
                let pair =
                    |(name, text): &(String, String)| format!("{}: {}", scalar(name), scalar(text));
                let pairs: Vec<String> = pairs.iter().map(pair).collect();
                Some(format!("{{{}}}", pairs.join(", ")))
            }
            Self::List(items) => {
                let items: Option<Vec<String>> = items.iter().map(Self::flow).collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            Self::Map(fields) => {
                let field =
                    |(name, value): &(&str, Self)| Some(format!("{name}: {}", value.flow()?));
                let fields: Option<Vec<String>> = fields.iter().map(field).collect();
                Some(format!("{{{}}}", fields?.join(", ")))
            }
        }
    }

    /// Whether it stands on one line as an item of a list in a spec.
    pub(super) fn fits(&self) -> bool {
        self.fitting(6, WIDTH).is_some()
    }

    /// The value on one line, where it fits there behind what stands before it.
    fn fitting(&self, before: usize, width: usize) -> Option<String> {
        let flow = self.flow()?;
        let is_scalar = matches!(self, Self::Text(_) | Self::Bare(_));
        (is_scalar || before + flow.len() <= width).then_some(flow)
    }
}

fn map(fields: &[(&'static str, Yaml)], indent: usize, out: &mut String) {
    for (name, value) in fields {
        let _ = write!(out, "{:indent$}{name}:", "");
        field(value, indent, name.len(), out);
    }
}

/// Longest line on which a value stands alone: a list of several maps has a line for each.
fn width(value: &Yaml) -> usize {
    let Yaml::List(items) = value else {
        return WIDTH;
    };
    let is_block = |item: &Yaml| matches!(item, Yaml::Map(_) | Yaml::Noted(..));
    match items.len() {
        ..=1 => WIDTH,
        _ if !items.iter().any(is_block) => WIDTH,
        2 => PAIR_WIDTH,
        _ => 0,
    }
}

/// The value of a field, behind its colon.
fn field(value: &Yaml, indent: usize, name: usize, out: &mut String) {
    let is_spec = indent == 0 && matches!(value, Yaml::Map(fields) if fields.len() > 2);
    if !is_spec && let Some(flow) = value.fitting(indent + name + 2, width(value)) {
        let _ = writeln!(out, " {flow}");
        return;
    }
    match value {
        Yaml::List(items) => {
            if let Some(items) = scalars(items) {
                wrapped(&items, indent, name, out);
                return;
            }
            out.push('\n');
            for item in items {
                list_item(item, indent + 2, out);
            }
        }
        Yaml::Map(fields) => {
            out.push('\n');
            map(fields, indent + 2, out);
        }
        Yaml::Noted(notes, value) => {
            out.push('\n');
            comments(notes, indent + 2, out);
            if let Yaml::Map(fields) = value.as_ref() {
                map(fields, indent + 2, out);
            }
        }
        Yaml::Pairs(pairs) => {
            out.push('\n');
            for (name, text) in pairs {
                let _ = writeln!(
                    out,
                    "{:1$}{2}: {3}",
                    "",
                    indent + 2,
                    scalar(name),
                    scalar(text)
                );
            }
        }
        Yaml::Lines(lines) => {
            out.push_str(" |\n");
            for line in lines {
                let _ = writeln!(out, "{:1$}{line}", "", indent + 2);
            }
        }
        Yaml::Text(_) | Yaml::Bare(_) => out.push('\n'),
    }
}

/// Items that stand on any line.
fn scalars(items: &[Yaml]) -> Option<Vec<String>> {
    let scalar = |item: &Yaml| match item {
        Yaml::Text(text) => Some(scalar(text)),
        Yaml::Bare(text) => Some(text.clone()),
        Yaml::List(_) | Yaml::Map(_) | Yaml::Pairs(_) | Yaml::Lines(_) | Yaml::Noted(..) => None,
    };
    items.iter().map(scalar).collect()
}

/// A list in brackets over several full lines, behind the name of its field.
fn wrapped(items: &[String], indent: usize, name: usize, out: &mut String) {
    out.push_str(" [");
    let mut column = indent + name + 3;
    for (index, item) in items.iter().enumerate() {
        if index > 0 && column + item.len() + 3 > WIDTH {
            let _ = write!(out, ",\n{:1$}", "", indent + 2);
            column = indent + 2;
        } else if index > 0 {
            out.push_str(", ");
            column += 2;
        }
        out.push_str(item);
        column += item.len();
    }
    out.push_str("]\n");
}

fn list_item(item: &Yaml, indent: usize, out: &mut String) {
    if let Yaml::Noted(notes, value) = item {
        comments(notes, indent, out);
        list_item(value, indent, out);
        return;
    }
    if let Some(flow) = item.fitting(indent + 2, WIDTH) {
        let _ = writeln!(out, "{:indent$}- {flow}", "");
        return;
    }
    let mut text = String::new();
    match item {
        Yaml::Map(fields) => map(fields, indent + 2, &mut text),
        Yaml::List(items) => items
            .iter()
            .for_each(|item| list_item(item, indent + 2, &mut text)),
        Yaml::Text(_) | Yaml::Bare(_) | Yaml::Noted(..) | Yaml::Pairs(_) | Yaml::Lines(_) => {}
    }
    let rest = text.get(indent + 2..).unwrap_or_default();
    let _ = write!(out, "{:indent$}- {rest}", "");
}

/// A text, without quotes where nothing could take it for something else.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if text.contains(['\\', '"']) && !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn is_plain(text: &str) -> bool {
    let inner = |character: char| character.is_ascii_alphanumeric() || "._/-".contains(character);
    // No number of any form has one of these.
    let is_named = text.contains(|letter: char| "ghjklmpqrstuvwyz".contains(letter));
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic())
        || text.starts_with(|first: char| first.is_ascii_digit()) && is_named;
    let is_word = starts
        && text
            .chars()
            .all(|character| inner(character) || ":@".contains(character))
        && !text.ends_with(':');
    is_word && !WORDS.contains(&text.to_ascii_lowercase().as_str()) || is_duration(text)
}

/// Such as `1h30m`.
fn is_duration(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.ends_with(['h', 'm', 's'])
        && text
            .chars()
            .all(|character| character.is_ascii_digit() || "hms".contains(character))
}
