// SPDX-License-Identifier: Apache-2.0

//! The text of a file that says what is in use. JSON and lines are read piece by piece, and none is kept.

mod document;
mod error;
mod lines;
mod reading;

use std::io::{self, BufRead, Read};

use serde_json::Value;

use self::document::read_document;
pub(in crate::cli) use self::error::TextError;
use self::error::{YAML_SIZE, no_json, refuse_too_much};
use self::lines::read_lines;
pub(in crate::cli) use self::reading::Reading;
use crate::plan::in_use::InUse;

/// Most values in one file of YAML.
const VALUES: usize = 50_000_000;
/// How much of a file is looked at to tell what it is, in bytes.
const HEAD: u64 = 64 * 1024;

/// What a file says.
#[derive(Debug)]
pub(super) enum Contents {
    /// Where a cluster is.
    Kubeconfig,
    /// What is in use.
    Images(Box<InUse>),
}

// === impl Contents ===

impl Contents {
    /// Reads a text; `file` is how its lines are called where they protect something.
    pub(super) fn read(text: impl BufRead, file: &str) -> Result<Self, TextError> {
        let (syntax, text) = Syntax::of(text)?;
        let mut in_use = InUse::default();
        let is_kubeconfig = match syntax {
            Syntax::Lines => {
                read_lines(&mut in_use, text, file)?;
                false
            }
            Syntax::Json => read_json(&mut in_use, text, file)?,
            Syntax::Yaml => read_yaml(&mut in_use, text, file)?,
        };
        if is_kubeconfig {
            return Ok(Self::Kubeconfig);
        }
        if in_use.count_users() == 0 {
            return Err(TextError::Empty);
        }
        refuse_too_much(&in_use)?;
        Ok(Self::Images(Box::new(in_use)))
    }
}

/// Reads the objects of a text, as JSON or else as YAML. Whether it is a kubeconfig, which has none.
pub(in crate::cli) fn read_objects(
    gathered: &mut impl Reading,
    text: impl BufRead,
    file: &str,
) -> Result<bool, TextError> {
    let (syntax, text) = Syntax::of(text)?;
    match syntax {
        Syntax::Json => read_flow(gathered, text, file),
        Syntax::Yaml | Syntax::Lines => read_yaml(gathered, text, file),
    }
}

/// Reads what begins like JSON, and may be YAML in its flow form where it is not too large for that.
fn read_flow(
    gathered: &mut impl Reading,
    mut text: impl Read,
    file: &str,
) -> Result<bool, TextError> {
    let mut begin = Vec::new();
    let size = text.by_ref().take(YAML_SIZE).read_to_end(&mut begin)?;
    if u64::try_from(size).is_ok_and(|size| size >= YAML_SIZE) {
        return read_json(gathered, begin.chain(text), file);
    }
    let mut of_json = gathered.clone();
    let no_json = match read_json(&mut of_json, begin.as_slice(), file) {
        Err(error @ TextError::Syntax { .. }) => error,
        read => {
            *gathered = of_json;
            return read;
        }
    };
    match read_yaml(gathered, begin.as_slice(), file) {
        Err(TextError::Syntax { .. }) => Err(no_json),
        read => read,
    }
}

enum Syntax {
    Json,
    Yaml,
    Lines,
}

impl Syntax {
    /// That of a text, and the whole text.
    fn of(mut text: impl BufRead) -> Result<(Self, impl BufRead), TextError> {
        let mut head = Vec::new();
        text.by_ref().take(HEAD).read_to_end(&mut head)?;
        let syntax = Self::of_head(&String::from_utf8_lossy(&head));
        Ok((syntax, io::Cursor::new(head).chain(text)))
    }

    /// No image begins like JSON, or like a field of YAML.
    fn of_head(text: &str) -> Self {
        let mut lines = text.lines().map(str::trim_end);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
        let first = first.unwrap_or_default();
        if first.trim_start().starts_with(['{', '[']) {
            Self::Json
        } else if first == "---" || first.ends_with(':') || first.contains(": ") {
            Self::Yaml
        } else {
            Self::Lines
        }
    }
}

/// Whether it is a kubeconfig.
fn read_json(gathered: &mut impl Reading, text: impl Read, file: &str) -> Result<bool, TextError> {
    let mut json = serde_json::Deserializer::from_reader(text);
    gathered.begin(1);
    let is_kubeconfig = read_document(gathered, &mut json, file)?;
    json.end().map_err(no_json)?;
    Ok(is_kubeconfig)
}

/// Whether it is a kubeconfig.
fn read_yaml(gathered: &mut impl Reading, text: impl Read, file: &str) -> Result<bool, TextError> {
    let mut whole = String::new();
    let size = text.take(YAML_SIZE + 1).read_to_string(&mut whole)?;
    if u64::try_from(size).is_ok_and(|size| size > YAML_SIZE) {
        return Err(TextError::LongYaml);
    }
    for (index, document) in parse_yaml(&whole)?.into_iter().enumerate() {
        if document.is_null() {
            continue;
        }
        gathered.begin(index + 1);
        if read_document(gathered, document, file)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn parse_yaml(text: &str) -> Result<Vec<Value>, TextError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: VALUES,
            max_nodes: VALUES,
            max_events: VALUES,
            max_total_scalar_bytes: usize::MAX,
        },
        with_snippet: false,
    };
    let values: Result<Vec<Value>, _> = serde_saphyr::from_multiple_with_options(text, options);
    values.map_err(|error| TextError::Syntax {
        line: error
            .location()
            .map(|place| place.line())
            .unwrap_or_default(),
        message: format!("this is no YAML: {error}"),
    })
}

#[cfg(test)]
mod tests;
