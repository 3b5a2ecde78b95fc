// SPDX-License-Identifier: Apache-2.0

//! Templates of text: the part of Go's templates that people write for `docker inspect`, also for messages.
//!
//! ```text
//! {{.Config.User}} {{json .Config}} {{index .Config.Labels "a"}} {{len .RootFS.Layers}}
//! {{join .Config.Cmd " "}} {{range .Config.Env}}{{println .}}{{end}} {{if .Config.User}}…{{else}}…{{end}}
//! ```

mod error;
mod lex;

use serde_json::Value;

pub use self::error::TextTemplateError;
use self::lex::{Piece, pieces};

/// Most pieces of a template, and how deep they may stand in each other.
const PIECES: usize = 1_000;
const DEPTH: usize = 20;
/// Most bytes that a template makes.
const BYTES: usize = 16 * 1024 * 1024;

/// Part of a template.
#[derive(Clone, Debug)]
enum Node {
    Text(String),
    Show(Vec<String>),
    Each(Vec<String>, Vec<Self>, Vec<Self>),
    When(Vec<String>, Vec<Self>, Vec<Self>),
}

/// A template that was read.
#[derive(Clone, Debug)]
pub struct TextTemplate(Vec<Node>);

// === impl TextTemplate ===

impl TextTemplate {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, TextTemplateError> {
        let pieces = pieces(text)?;
        if pieces.len() > PIECES {
            return Err(TextTemplateError::TooLarge);
        }
        let mut pieces = pieces.into_iter();
        let (nodes, end) = block(&mut pieces, 0)?;
        match end {
            Stop::Text => Ok(Self(nodes)),
            Stop::Else | Stop::End => Err(TextTemplateError::Blocks),
        }
    }

    /// The text that it makes of a value.
    pub fn render(&self, value: &Value) -> Result<String, TextTemplateError> {
        let mut text = String::new();
        render(&self.0, value, &mut text)?;
        Ok(text)
    }
}

/// What ended a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Text,
    Else,
    End,
}

fn block(
    pieces: &mut impl Iterator<Item = Piece>,
    depth: usize,
) -> Result<(Vec<Node>, Stop), TextTemplateError> {
    if depth > DEPTH {
        return Err(TextTemplateError::TooLarge);
    }
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.next() {
        let words = match piece {
            Piece::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Piece::Action(words) => words,
        };
        let first = words.first().map(String::as_str).unwrap_or_default();
        match first {
            "end" => return Ok((nodes, Stop::End)),
            "else" => return Ok((nodes, Stop::Else)),
            "range" | "if" => {
                let operand = words.get(1..).unwrap_or_default().to_vec();
                let (body, end) = block(pieces, depth + 1)?;
                let (otherwise, end) = match end {
                    Stop::Else => block(pieces, depth + 1)?,
                    end @ (Stop::Text | Stop::End) => (Vec::new(), end),
                };
                if end != Stop::End {
                    return Err(TextTemplateError::Blocks);
                }
                nodes.push(if first == "range" {
                    Node::Each(operand, body, otherwise)
                } else {
                    Node::When(operand, body, otherwise)
                });
            }
            _ => nodes.push(Node::Show(words)),
        }
    }
    Ok((nodes, Stop::Text))
}

fn render(nodes: &[Node], value: &Value, text: &mut String) -> Result<(), TextTemplateError> {
    for node in nodes {
        match node {
            Node::Text(literal) => text.push_str(literal),
            Node::Show(words) => text.push_str(&plain(&evaluate(words, value)?)),
            Node::When(words, body, otherwise) => {
                let is_set = is_true(&evaluate(words, value)?);
                render(if is_set { body } else { otherwise }, value, text)?;
            }
            Node::Each(words, body, otherwise) => {
                let items = match evaluate(words, value)? {
                    Value::Array(items) => items,
                    Value::Object(map) => map.into_iter().map(|(_, item)| item).collect(),
                    Value::Null => Vec::new(),
                    Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                        return Err(TextTemplateError::Operand("range"));
                    }
                };
                for item in &items {
                    render(body, item, text)?;
                }
                if items.is_empty() {
                    render(otherwise, value, text)?;
                }
            }
        }
        if text.len() > BYTES {
            return Err(TextTemplateError::TooLarge);
        }
    }
    Ok(())
}

/// The value of an action: of a field, or of a function with what it takes.
fn evaluate(words: &[String], value: &Value) -> Result<Value, TextTemplateError> {
    let (first, rest) = words
        .split_first()
        .ok_or_else(|| TextTemplateError::Word(String::new()))?;
    let operand = |place: usize| match rest.get(place) {
        Some(word) => operand(word, value),
        None => Err(TextTemplateError::Word(words.join(" "))),
    };
    match first.as_str() {
        "json" => Ok(Value::String(operand(0)?.to_string())),
        "len" => Ok(match operand(0)? {
            Value::Array(items) => items.len().into(),
            Value::Object(map) => map.len().into(),
            Value::String(text) => text.len().into(),
            Value::Null => 0.into(),
            Value::Bool(_) | Value::Number(_) => return Err(TextTemplateError::Operand("len")),
        }),
        "println" | "print" => {
            let shown: Result<Vec<String>, _> = (0..rest.len())
                .map(|place| Ok(plain(&operand(place)?)))
                .collect();
            let end = if first == "println" { "\n" } else { "" };
            Ok(Value::String(shown?.join(" ") + end))
        }
        "upper" => Ok(Value::String(plain(&operand(0)?).to_uppercase())),
        "lower" => Ok(Value::String(plain(&operand(0)?).to_lowercase())),
        "join" => {
            let Value::Array(items) = operand(0)? else {
                return Err(TextTemplateError::Operand("join"));
            };
            let items: Vec<String> = items.iter().map(plain).collect();
            Ok(Value::String(items.join(&plain(&operand(1)?))))
        }
        "index" => {
            (1..rest.len()).try_fold(operand(0)?, |found, place| at(&found, &operand(place)?))
        }
        _ if rest.is_empty() => self::operand(first, value),
        _ => Err(TextTemplateError::Word(words.join(" "))),
    }
}

fn at(found: &Value, key: &Value) -> Result<Value, TextTemplateError> {
    let inner = match (found, key) {
        (Value::Object(map), Value::String(key)) => map.get(key),
        (Value::Array(items), Value::Number(place)) => {
            let place = place.as_u64().and_then(|place| usize::try_from(place).ok());
            place.and_then(|place| items.get(place))
        }
        (Value::Null, _) => None,
        _ => return Err(TextTemplateError::Operand("index")),
    };
    Ok(inner.cloned().unwrap_or(Value::Null))
}

/// A field of a value, or a literal.
fn operand(word: &str, value: &Value) -> Result<Value, TextTemplateError> {
    if let Some(text) = word.strip_prefix('"') {
        return Ok(Value::String(text.to_owned()));
    }
    if let Ok(number) = word.parse::<u64>() {
        return Ok(number.into());
    }
    let path = word
        .strip_prefix('.')
        .ok_or_else(|| TextTemplateError::Word(word.to_owned()))?;
    let mut found = value.clone();
    for field in path.split('.').filter(|field| !field.is_empty()) {
        found = match found {
            Value::Object(mut map) => {
                let inner = map.remove(field);
                inner.ok_or_else(|| TextTemplateError::Field {
                    field: field.to_owned(),
                    known: map.keys().take(20).cloned().collect::<Vec<_>>().join(", "),
                })?
            }
            Value::Null => Value::Null,
            Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(TextTemplateError::Field {
                    field: field.to_owned(),
                    known: "none below that".to_owned(),
                });
            }
        };
    }
    Ok(found)
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_set) => *is_set,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// A value as Go prints it: lists in brackets, maps as `map[key:value]`.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", plain(value)))
                .collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(text: &str) -> Result<String, String> {
        let value = json!({
            "Id": "sha256:1", "Size": 12, "Config": {"User": "", "Env": ["A=1", "B=2"], "Cmd": ["sh", "-c"],
            "Labels": {"a.b": "c", "z": "y"}, "Volumes": null},
        });
        let template = TextTemplate::parse(text).map_err(|error| error.to_string())?;
        template.render(&value).map_err(|error| error.to_string())
    }

    #[test]
    fn what_people_write_for_docker() {
        for (text, expected) in [
            ("{{.Id}}", "sha256:1"),
            ("size {{ .Size }} B", "size 12 B"),
            ("{{json .Config.Cmd}}", r#"["sh","-c"]"#),
            ("{{.Config.Cmd}}", "[sh -c]"),
            ("{{.Config.Labels}}", "map[a.b:c z:y]"),
            (r#"{{index .Config.Labels "a.b"}}"#, "c"),
            (r#"{{index .Config.Labels "none"}}"#, "<no value>"),
            ("{{index .Config.Env 1}}", "B=2"),
            ("{{len .Config.Env}}", "2"),
            (r#"{{join .Config.Cmd " "}}"#, "sh -c"),
            ("{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"),
            ("{{range .Config.Volumes}}x{{else}}none{{end}}", "none"),
            (
                "{{if .Config.User}}{{.Config.User}}{{else}}root{{end}}",
                "root",
            ),
            (r#"a\tb{{"{{"}}"#, "a\tb{{"),
            ("{{- .Id -}}  x", "sha256:1x"),
        ] {
            assert_eq!(render(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let texts = [
            "{{.Id",
            "{{.Nothing}}",
            "{{.Config.user}}",
            "{{frob .Id}}",
            "{{range .Id}}{{end}}",
            "{{if .Id}}",
            "{{end}}",
            "{{}}",
            "{{len 3}}",
            "{{.Id.Size}}",
            r#"{{join .Id " "}}"#,
        ];
        let said = texts.map(|text| format!("{text}  {}", render(text).unwrap_err()));
        insta::assert_snapshot!(said.join("\n"));
    }

    proptest::proptest! {
        #[test]
        fn no_template_stops_the_program(text in r#"(\{\{[a-z. "]{0,12}\}\}|\{\{|.){0,12}"#) {
            let _ = render(&text);
        }
    }
}
