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
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, Unset>;

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
    pub(super) lookup: Lookup<'a>,
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
mod tests {
    use super::super::{FILE_SIZE, Resource, parse_set};
    use super::*;

    fn lookup(name: &str) -> Result<String, Unset> {
        match name {
            "REGISTRY" => Ok("quay.io".to_owned()),
            "TAG" => Ok("3.20".to_owned()),
            "COUNT" => Ok("2".to_owned()),
            "YES" => Ok("true".to_owned()),
            "EMPTY" => Ok(String::new()),
            "PASSWORD" => Ok("a\"b: '#\\n{".to_owned()),
            "BYTES" => Err(Unset::NotText),
            "HUGE" => Ok("x".repeat(FILE_SIZE / 2 + 1)),
            _ => Err(Unset::Missing),
        }
    }

    fn mirror(fields: &str) -> String {
        format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  source: {{registry: ${{REGISTRY}}}} # ${{UNSET}}\n  \
             images: [{{repository: a, {fields}}}]\n  destinations: [{{name: d, registry: d.test}}]\n"
        )
    }

    fn image(fields: &str) -> Result<serde_json::Value, String> {
        let contents = parse_set(&mirror(fields), "f.yaml", &lookup);
        let contents = contents.map_err(|error| error.to_string())?;
        let Resource::ImageMirror(mirror) = &contents.documents[0].resource else {
            return Err("no mirror".to_owned());
        };
        assert_eq!(mirror.spec.source.registry.as_str(), "quay.io");
        Ok(serde_json::to_value(&mirror.spec.images[0]).unwrap())
    }

    #[test]
    fn variables_are_set_as_they_are() {
        for (fields, path, expected) in [
            ("tags: [${TAG}]", "/tags/0", "3.20"),
            ("tags: ['${TAG}']", "/tags/0", "3.20"),
            ("tags: [\"v${TAG}-${COUNT}\"]", "/tags/0", "v3.20-2"),
            ("tags: [${NONE:-latest}]", "/tags/0", "latest"),
            ("tags: [${NONE:=latest}]", "/tags/0", "latest"),
            ("tags: [${EMPTY:-latest}]", "/tags/0", "latest"),
            ("tags: [x${EMPTY}y]", "/tags/0", "xy"),
            ("tags: [a], as: '$${NAME}'", "/as", "${NAME}"),
            ("tags: [a], as: $${NAME}-${TAG}", "/as", "${NAME}-3.20"),
            ("tags: [a], as: 'a$b$$c$'", "/as", "a$b$$c$"),
            ("tags: ['1'], retag: {\"1\": ${TAG}}", "/retag/1", "3.20"),
            ("tags: ['3.20'], retag: {${TAG}: x}", "/retag/3.20", "x"),
        ] {
            let image = image(fields).unwrap();
            let found = image.pointer(path).and_then(serde_json::Value::as_str);
            assert_eq!(found, Some(expected), "{fields}: {image}");
        }
        let image = image("select: {newest: {count: ${COUNT}}}").unwrap();
        assert_eq!(image.pointer("/select/newest/count"), Some(&2.into()));
    }

    #[test]
    fn variables_that_cannot_be_set() {
        for (fields, expected) in [
            (
                "tags: [${NONE}]",
                "f.yaml:6:34: spec.images[0].tags[0]: variable NONE is not set: set it, write ${NONE:-default}, or $${ for ${ itself",
            ),
            (
                "tags: [${BYTES}]",
                "f.yaml:6:34: spec.images[0].tags[0]: variable BYTES is not UTF-8",
            ),
            (
                "tags: ['${1A}']",
                "f.yaml:6:34: spec.images[0].tags[0]: variable \"1A\" is not understood: write ${NAME} or ${NAME:-default}, or $${ for ${ itself",
            ),
            (
                "tags: ['${A:+b}']",
                "f.yaml:6:34: spec.images[0].tags[0]: variable \"A:+b\" is not understood: write ${NAME} or ${NAME:-default}, or $${ for ${ itself",
            ),
            (
                "tags: ['${A']",
                "f.yaml:6:34: spec.images[0].tags[0]: a variable is not closed: write ${NAME}, or $${ for ${ itself",
            ),
            (
                "tags: [${HUGE}, ${HUGE}]",
                "f.yaml:6:43: spec.images[0].tags[1]: with the value of variable HUGE the file is too large",
            ),
            (
                "tags: [a], select: {newest: {count: ${TAG}}}",
                "f.yaml:6:63: spec.images[0].select.newest.count: expected a whole number, found 3.20",
            ),
            (
                "tags: ['\u{e001}']",
                "f.yaml:6:35: a character of a private use area cannot stand beside variables",
            ),
        ] {
            assert_eq!(image(fields).unwrap_err(), expected, "{fields}");
        }
    }

    #[test]
    fn only_what_is_ours_is_asked_for_and_values_are_no_yaml() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${UNSET}}\n---\n\
             apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, data: {a: '${UNSET}'}}\n\
             - apiVersion: v1\n  kind: Secret\n  metadata: {name: s}\n  stringData:\n    password: ${PASSWORD}\n    username: |\n      a ${COUNT}\n";
        let contents = parse_set(text, "f.yaml", &lookup).unwrap();
        assert_eq!(contents.others.len(), 2);
        let Resource::Secret(secret) = &contents.documents[0].resource else {
            panic!("no Secret");
        };
        let text = |key: &str| secret.text(key).unwrap().unwrap();
        use secrecy::ExposeSecret as _;
        assert_eq!(text("password").expose_secret(), "a\"b: '#\\n{");
        assert_eq!(text("username").expose_secret(), "a 2\n");
    }

    #[test]
    fn booleans_may_be_set() {
        let text = mirror("tags: [a]").replace("d.test}", "d.test, insecure: ${YES}}");
        let contents = parse_set(&text, "f.yaml", &lookup).unwrap();
        let Resource::ImageMirror(mirror) = &contents.documents[0].resource else {
            panic!("no mirror");
        };
        assert!(mirror.spec.destinations[0].insecure);
    }
}
