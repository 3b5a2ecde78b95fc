// SPDX-License-Identifier: Apache-2.0

//! What is wrong with a file, told so that a person finds the place and knows what to write.

use std::fmt;

use serde::de;

use super::position::Position;

/// How alike two words must be for one to be suggested: the share of letters that need no change.
const LIKENESS: f64 = 0.6;

/// What is wrong with a file: `mirror.yaml:12:7: spec.images[0]: unknown field "tgas", did you mean "tags"?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    /// Name of the file.
    pub file: String,
    /// The place in the file.
    pub position: Position,
    /// Which of several documents of the file it is in, such as `ImagePolicy "stable"`.
    pub document: Option<String>,
    /// Path of the field, such as `spec.images[0]`; empty where the document as a whole is meant.
    pub path: String,
    /// What is wrong there.
    pub problem: Box<Problem>,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file is larger than anything that is meant to be read.
    #[error("the file has {found} bytes, at most {most} are read")]
    TooLarge {
        /// Size of the file.
        found: usize,
        /// Largest size.
        most: usize,
    },
    /// The file is not YAML.
    #[error("{0}")]
    Syntax(String),
    /// A field is not one of the type.
    #[error("unknown field {field:?}{}{}", hint(.field, .expected), indentation(.above.as_deref()))]
    UnknownField {
        /// The field.
        field: String,
        /// The fields that exist.
        expected: &'static [&'static str],
        /// The field above it, where it may belong below that.
        above: Option<String>,
    },
    /// A value is not one of those allowed.
    #[error("unknown value {value:?}{}", hint(.value, .expected))]
    UnknownValue {
        /// The value.
        value: String,
        /// The values that exist.
        expected: &'static [&'static str],
    },
    /// A required field is missing.
    #[error("missing field {:?}{}", .0, version_hint(.0))]
    MissingField(String),
    /// A field is written twice.
    #[error("field {field:?} is written twice, first in line {first}")]
    DuplicateField {
        /// The field.
        field: String,
        /// Line of the first.
        first: u64,
    },
    /// The value has another type.
    #[error("expected {expected}, found {found}{}{}", list_hint(.expected), fields_hint(.fields))]
    WrongType {
        /// The type that is needed.
        expected: String,
        /// The type that is there.
        found: &'static str,
        /// The fields that it has, where it is one with fields.
        fields: Vec<String>,
    },
    /// A number is not whole.
    #[error("expected a whole number, found {0}")]
    NotWhole(String),
    /// A number does not fit the field.
    #[error("{0} is out of range")]
    OutOfRange(i64),
    /// A number or boolean stands where a text is needed; YAML would have changed `3.20` to 3.2.
    #[error("expected a string, found the {what} {written}: write it in quotes, \"{written}\"")]
    Unquoted {
        /// `number` or `boolean`.
        what: &'static str,
        /// The characters in the file.
        written: String,
    },
    /// The kind is not one that Transship reads.
    #[error("{kind:?} is not read by Transship{}", hint(.kind, KINDS))]
    UnknownKind {
        /// The kind.
        kind: String,
    },
    /// The kind is right but its group or version is not.
    #[error("{found:?} is not the version of {kind}: expected {expected:?}")]
    WrongApiVersion {
        /// The kind.
        kind: String,
        /// The apiVersion.
        found: String,
        /// The apiVersion of the kind.
        expected: &'static str,
    },
    /// An object is defined twice.
    #[error("{kind} {name:?} is already defined at {first}")]
    DuplicateObject {
        /// The kind.
        kind: &'static str,
        /// Namespace and name.
        name: String,
        /// File, line and column of the first.
        first: String,
    },
    /// The value is refused by its own type.
    #[error("{0}")]
    Invalid(String),
}

/// The kinds that are read.
pub(super) const KINDS: &[&str] = &[
    "ImageMirror",
    "ImagePolicy",
    "MirroredRepository",
    "Secret",
    "List",
];

/// An error on its way up from a value to its document: place and path are added where they are known.
#[derive(Debug)]
pub(super) struct ValueError {
    pub(super) place: Option<(Position, String)>,
    pub(super) problem: Problem,
}

// === impl DocumentError ===

impl DocumentError {
    pub(crate) fn new(
        file: &str,
        position: Position,
        path: impl Into<String>,
        problem: Problem,
    ) -> Self {
        Self {
            file: file.to_owned(),
            position,
            document: None,
            path: path.into(),
            problem: Box::new(problem),
        }
    }

    /// Whether a document as a whole is none of Kubernetes.
    pub fn is_of_no_object(&self) -> bool {
        let is_kindless = matches!(&*self.problem, Problem::MissingField(field) if field == "kind");
        let is_no_mapping = matches!(&*self.problem, Problem::WrongType { .. });
        self.path.is_empty() && (is_kindless || is_no_mapping)
    }

    /// The same in one of several documents.
    pub(super) fn within(self, document: String) -> Self {
        let document = Some(document);
        Self { document, ..self }
    }

    pub(super) fn from_syntax(file: &str, position: Position, message: String) -> Self {
        Self::new(file, position, "", Problem::Syntax(message))
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            position,
            document,
            path,
            problem,
        } = self;
        write!(formatter, "{file}:{position}: ")?;
        if let Some(document) = document {
            write!(formatter, "{document}: ")?;
        }
        if !path.is_empty() {
            write!(formatter, "{path}: ")?;
        }
        write!(formatter, "{problem}")
    }
}

impl std::error::Error for DocumentError {}

/// What to write instead: the most similar word, or all of them.
pub(crate) fn hint(written: &str, expected: &[&str]) -> String {
    match (closest(written, expected), expected) {
        (Some(closest), _) => format!(", did you mean {closest:?}?"),
        (None, [first @ .., last]) if !first.is_empty() => {
            format!(": expected {} or {last}", first.join(", "))
        }
        (None, [only]) => format!(": expected {only}"),
        (None, _) => String::new(),
    }
}

/// What to do where a field may be meant to belong to the one above it.
fn indentation(above: Option<&str>) -> String {
    above.map_or_else(String::new, |above| {
        format!("; if it belongs to {above:?}, indent it further")
    })
}

/// What to write where a document does not say what it is.
fn version_hint(field: &str) -> &'static str {
    match field {
        "apiVersion" => ": write transship.dev/v1alpha1, or v1 for a Secret",
        "kind" => ": write ImageMirror, ImagePolicy or Secret, and its apiVersion",
        _ => "",
    }
}

/// What is written in place of something else, where that has fields.
fn fields_hint(fields: &[String]) -> String {
    match fields {
        [] => String::new(),
        [only] => format!(": write {{{only}: …}}"),
        [first, others @ ..] => format!(
            ": write {{{first}: …}}, and what else is needed of {}",
            others.join(", ")
        ),
    }
}

/// How a list is written.
fn list_hint(expected: &str) -> &'static str {
    if expected == "a list" {
        ": write \"- \" in front of each entry"
    } else {
        ""
    }
}

/// The most similar word, if one is similar at all.
pub(crate) fn closest<'a>(written: &str, expected: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    expected
        .iter()
        .map(|word| {
            let word_in_lower_case = word.to_lowercase();
            let likeness = strsim::normalized_damerau_levenshtein(&written, &word_in_lower_case);
            (likeness, *word)
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, word)| word)
}

// === impl ValueError ===

impl ValueError {
    pub(super) fn new(problem: Problem) -> Self {
        Self {
            place: None,
            problem,
        }
    }

    /// Adds the field above one that is not known, and is like no other.
    pub(super) fn below(mut self, field_above: Option<&str>) -> Self {
        if let Problem::UnknownField {
            field,
            expected,
            above,
        } = &mut self.problem
            && closest(field, expected).is_none()
        {
            *above = field_above.map(str::to_owned);
        }
        self
    }

    /// Adds the fields of what is needed.
    pub(super) fn with_fields(mut self, known: &[&str]) -> Self {
        if let Problem::WrongType { fields, .. } = &mut self.problem {
            *fields = known.iter().map(ToString::to_string).collect();
        }
        self
    }

    /// Adds the place, unless a value further down already did.
    pub(super) fn at(mut self, position: Position, path: impl FnOnce() -> String) -> Self {
        if self.place.is_none() {
            self.place = Some((position, path()));
        }
        self
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(formatter)
    }
}

impl std::error::Error for ValueError {}

impl de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Invalid(message.to_string()))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownField {
            field: field.to_owned(),
            expected,
            above: None,
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownValue {
            value: variant.to_owned(),
            expected,
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Problem::MissingField(field.to_owned()))
    }

    /// Only numbers come here: they were read as whole, but do not fit the field.
    fn invalid_value(unexpected: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        let de::Unexpected::Signed(number) = unexpected else {
            return de::Error::custom(format_args!("{unexpected} is out of place"));
        };
        Self::new(Problem::OutOfRange(number))
    }
}
