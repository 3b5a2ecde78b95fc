// SPDX-License-Identifier: Apache-2.0

//! Templates of text: the part of Go's templates that people write for `docker inspect`, also for messages.
//!
//! ```text
//! {{.Config.User}} {{json .Config}} {{index .Config.Labels "a"}} {{len .RootFS.Layers}}
//! {{join .Config.Cmd " "}} {{range .Config.Env}}{{println .}}{{end}} {{if .Config.User}}…{{else}}…{{end}}
//! ```

mod error;
mod lex;
mod maker;
mod node;
mod value;

use serde_json::Value;

pub use self::error::TextTemplateError;
use self::lex::{Piece, pieces};
use self::maker::Maker;
use self::node::Node;

/// Most pieces of a template, and how deep they may stand in each other.
const PIECES: usize = 1_000;
const DEPTH: usize = 20;

/// A template that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// The text that it makes of a value, of at most so many bytes. No more than that is made on the way, either.
    pub fn render(&self, value: &Value, most: usize) -> Result<String, TextTemplateError> {
        let mut maker = Maker::new(most);
        maker.render(&self.0, value)?;
        Ok(maker.into_text())
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
        template
            .render(&value, 10_000)
            .map_err(|error| error.to_string())
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

    #[test]
    fn no_template_makes_or_does_more_than_it_may() {
        let value = json!({"a": "x".repeat(60), "list": vec![vec![1; 100]; 100]});
        let render = |text: &str| TextTemplate::parse(text).unwrap().render(&value, 100);
        assert_eq!(render("{{.a}}").as_deref(), Ok(&*"x".repeat(60)));
        assert_eq!(
            render("{{if .list}}{{if .a}}1{{end}}{{end}}").as_deref(),
            Ok("1")
        );
        for text in [
            "{{.a}}{{.a}}",
            "{{print .a .a}}",
            "{{json .}}",
            "{{.list}}",
            "{{upper .a}}{{.a}}",
            "{{join .list .a}}",
            // What is only looked at counts as well.
            "{{if print .a .a}}{{end}}",
            "{{if json .a}}{{end}}{{if json .a}}{{end}}",
        ] {
            assert_eq!(render(text), Err(TextTemplateError::TooLong(100)), "{text}");
        }
        for text in [
            "{{range .list}}{{range .}}{{end}}{{end}}",
            "{{range .list}}{{if .}}{{end}}{{end}}",
        ] {
            assert_eq!(render(text), Err(TextTemplateError::TooLarge), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_template_stops_the_program(text in r#"(\{\{[a-z. "]{0,12}\}\}|\{\{|.){0,12}"#) {
            let _ = render(&text);
        }
    }
}
