//! The text of a file that says what is in use.

use serde::Deserialize;
use serde_json::Value;

use crate::controller::workloads::{Kind, ObjectError, add_object, add_other};
use crate::oci::{Digest, Reference};
use crate::plan::in_use::InUse;

/// Most values in one file of YAML.
const VALUES: usize = 50_000_000;

/// What a file says.
#[derive(Debug)]
pub(super) enum Contents {
    /// Where a cluster is.
    Kubeconfig,
    /// What is in use.
    Images(Box<InUse>),
}

/// Why a file is not understood.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// It is empty, or holds an empty list.
    #[error(
        "it names no image: if that is right, set spec.prune.inUse to Ignore; if not, look at the command that wrote it"
    )]
    Empty,
    /// It begins like JSON or YAML and is not.
    #[error("{message}")]
    Syntax {
        /// Where.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// It is no list of objects.
    #[error("this is no object of Kubernetes and no list of them: it has no apiVersion and kind")]
    NoObject,
    /// What is no object, or one whose strings must not or cannot be read.
    #[error("a {kind} says nothing of images: {why}")]
    WrongKind {
        /// Its kind.
        kind: String,
        /// What to do.
        why: &'static str,
    },
    /// A list whose objects are not there.
    #[error("the {kind} has no items: the command that wrote it failed")]
    NoItems {
        /// Its kind.
        kind: String,
    },
    /// Objects that are not in it may use anything.
    #[error(
        "the {kind} is one page of a list, and its metadata says that there are more: list without a limit, as kubectl does"
    )]
    Page {
        /// Its kind.
        kind: String,
    },
    /// An object of a known kind.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A line of kubectl that names an object and not its images.
    #[error("{word:?} is an object and no image: let kubectl print -o json")]
    ObjectName {
        /// Where.
        line: u64,
        /// What is written there.
        word: String,
    },
    /// A word of a line that may be the name of anything.
    #[error(
        "{word:?} has neither a tag nor a digest, as what stands in a table: write {word}:latest if it is an image, or \
         let kubectl print -o json"
    )]
    Bare {
        /// Where.
        line: u64,
        /// What is written there.
        word: String,
    },
    /// A line that is no image.
    #[error(
        "{word:?} is no image ({message}): write images on lines of their own, or let kubectl print -o json"
    )]
    NoImage {
        /// Where.
        line: u64,
        /// What is written there.
        word: String,
        /// What is wrong with it.
        message: String,
    },
}

// === impl Contents ===

impl Contents {
    /// Reads a text; `file` is how its lines are called where they protect something.
    pub(super) fn read(text: &str, file: &str) -> Result<Self, TextError> {
        let mut in_use = InUse::default();
        for object in match Syntax::of(text) {
            Syntax::Lines => {
                add_lines(&mut in_use, text, file)?;
                Vec::new()
            }
            Syntax::Json => vec![parse_json(text)?],
            Syntax::Yaml => parse_yaml(text)?,
        } {
            if is_kubeconfig(&object) {
                return Ok(Self::Kubeconfig);
            }
            add_value(&mut in_use, &object, file)?;
        }
        if in_use.count_users() == 0 {
            return Err(TextError::Empty);
        }
        Ok(Self::Images(Box::new(in_use)))
    }
}

enum Syntax {
    Json,
    Yaml,
    Lines,
}

impl Syntax {
    /// No image begins like JSON, or like a field of YAML.
    fn of(text: &str) -> Self {
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

fn parse_json(text: &str) -> Result<Value, TextError> {
    serde_json::from_str(text).map_err(|error| TextError::Syntax {
        line: u64::try_from(error.line()).unwrap_or_default(),
        message: format!("this is no JSON: {error}"),
    })
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
    let values = values.map_err(|error| TextError::Syntax {
        line: error
            .location()
            .map(|place| place.line())
            .unwrap_or_default(),
        message: format!("this is no YAML: {error}"),
    })?;
    Ok(values
        .into_iter()
        .filter(|value| !value.is_null())
        .collect())
}

fn is_kubeconfig(value: &Value) -> bool {
    value["kind"] == "Config" && value["apiVersion"] == "v1" && value.get("clusters").is_some()
}

/// What tells objects apart. The objects of a list by its own kind have none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    api_version: String,
    kind: String,
}

/// An object, a list of objects, or a JSON list of images.
fn add_value(in_use: &mut InUse, value: &Value, file: &str) -> Result<(), TextError> {
    if let Value::Array(values) = value {
        for value in values {
            if let Value::String(image) = value {
                add_words(in_use, image, file, 1)?;
            } else {
                add_value(in_use, value, file)?;
            }
        }
        return Ok(());
    }
    let Header { api_version, kind } =
        Header::deserialize(value).map_err(|_| TextError::NoObject)?;
    let Some(items) = items_of(value, &kind)? else {
        return add(in_use, &api_version, &kind, value);
    };
    for item in items {
        // A PodList does not say again that each of them is a Pod.
        let header = Header::deserialize(item).unwrap_or_else(|_| Header {
            api_version: api_version.clone(),
            kind: kind.trim_end_matches("List").to_owned(),
        });
        add(in_use, &header.api_version, &header.kind, item)?;
    }
    Ok(())
}

/// The objects of a list, all of them. None for an object.
fn items_of<'a>(value: &'a Value, kind: &str) -> Result<Option<&'a Vec<Value>>, TextError> {
    refuse_wrong_kinds(kind)?;
    let metadata = &value["metadata"];
    let has_name = metadata["name"].is_string();
    if value.get("items").is_none() && (has_name || !kind.ends_with("List")) {
        return Ok(None);
    }
    let kind = || kind.to_owned();
    let is_page = metadata["continue"]
        .as_str()
        .is_some_and(|token| !token.is_empty())
        || metadata["remainingItemCount"].as_i64().unwrap_or_default() != 0;
    if is_page {
        return Err(TextError::Page { kind: kind() });
    }
    let items = value["items"].as_array();
    items
        .ok_or_else(|| TextError::NoItems { kind: kind() })
        .map(Some)
}

fn refuse_wrong_kinds(kind: &str) -> Result<(), TextError> {
    let why = match kind.trim_end_matches("List") {
        "Secret" => "what stands in it is encoded, leave it out",
        "Table" | "PartialObjectMetadata" => "it leaves images out, let kubectl print -o json",
        "Status" => "it is what the API server answers where something failed",
        _ => return Ok(()),
    };
    Err(TextError::WrongKind {
        kind: kind.to_owned(),
        why,
    })
}

fn add(in_use: &mut InUse, api_version: &str, kind: &str, object: &Value) -> Result<(), TextError> {
    refuse_wrong_kinds(kind)?;
    match Kind::find(api_version, kind) {
        Some(known) => add_object(in_use, known, object)?,
        None => add_other(in_use, kind, object)?,
    }
    Ok(())
}

// === lines ===

fn add_lines(in_use: &mut InUse, text: &str, file: &str) -> Result<(), TextError> {
    for (line, number) in text.lines().zip(1..) {
        let (written, _) = line.split_once('#').unwrap_or((line, ""));
        add_words(in_use, written, file, number)?;
    }
    Ok(())
}

/// kubectl separates images by spaces or commas, and prints `<none>` for none.
fn add_words(in_use: &mut InUse, words: &str, file: &str, line: u64) -> Result<(), TextError> {
    let words = words.split(|character: char| character.is_whitespace() || character == ',');
    for word in words.filter(|word| !word.is_empty() && *word != "<none>") {
        refuse_other_words(word, line)?;
        in_use.add_image_id(&format!("{file} line {line}"), word);
    }
    Ok(())
}

fn refuse_other_words(word: &str, line: u64) -> Result<(), TextError> {
    if is_object_name(word) {
        return Err(TextError::ObjectName {
            line,
            word: word.to_owned(),
        });
    }
    let (_, image) = word.split_once("://").unwrap_or(("", word));
    if image.parse::<Digest>().is_ok() {
        return Ok(());
    }
    match image.parse::<Reference>() {
        Ok(reference) if reference.is_bare() => Err(TextError::Bare {
            line,
            word: word.to_owned(),
        }),
        Ok(_) => Ok(()),
        Err(error) => Err(TextError::NoImage {
            line,
            word: word.to_owned(),
            message: error.to_string(),
        }),
    }
}

/// Whether it is what `-o name` prints, such as `pod/web` or `deployment.apps/web`: it would pass for an
/// image at Docker Hub.
fn is_object_name(word: &str) -> bool {
    let Some((resource, _)) = word.split_once('/') else {
        return false;
    };
    Kind::ALL.into_iter().any(|kind| {
        let singular = kind.name().to_ascii_lowercase();
        let group = kind.api_version().split_once('/').map(|(group, _)| group);
        match group {
            Some(group) => resource == format!("{singular}.{group}"),
            None => resource == singular,
        }
    })
}

// === impl TextError ===

impl TextError {
    /// The line, where it is known, as it stands behind the name of a file.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Syntax { line, .. }
            | Self::ObjectName { line, .. }
            | Self::Bare { line, .. }
            | Self::NoImage { line, .. } => format!(":{line}"),
            Self::Empty
            | Self::NoObject
            | Self::WrongKind { .. }
            | Self::NoItems { .. }
            | Self::Page { .. }
            | Self::Object(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
