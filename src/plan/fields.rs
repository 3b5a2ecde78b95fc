// SPDX-License-Identifier: Apache-2.0

//! What is wrong with a spec, field by field: all of it at once, not the first thing only.

use std::fmt;

use crate::api::Reason;

/// A field that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// The path, such as `spec.images[0].tags[1]`.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
    /// `InvalidSpec`, or `DependencyNotReady` where the field names a policy that cannot be used.
    pub reason: Reason,
}

/// Collects the invalid fields of a spec.
#[derive(Default)]
pub(super) struct Fields {
    invalid: Vec<InvalidField>,
}

// === impl InvalidField ===

impl fmt::Display for InvalidField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            message,
            reason: _,
        } = self;
        write!(formatter, "{path}: {message}")
    }
}

impl std::error::Error for InvalidField {}

// === impl Fields ===

impl Fields {
    /// Notes that a field is wrong.
    pub(super) fn refuse(&mut self, path: impl Into<String>, message: impl fmt::Display) {
        self.note(path, message, Reason::InvalidSpec);
    }

    /// Notes that what a field names cannot be used.
    pub(super) fn not_ready(&mut self, path: impl Into<String>, message: impl fmt::Display) {
        self.note(path, message, Reason::DependencyNotReady);
    }

    fn note(&mut self, path: impl Into<String>, message: impl fmt::Display, reason: Reason) {
        self.invalid.push(InvalidField {
            path: path.into(),
            message: message.to_string(),
            reason,
        });
    }

    /// The value of a field, or a note of why there is none.
    pub(super) fn accept<T, E: fmt::Display>(
        &mut self,
        path: impl Into<String>,
        parsed: Result<T, E>,
    ) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(path, error);
                None
            }
        }
    }

    /// Parses every item of a list.
    pub(super) fn accept_all<T, E: fmt::Display>(
        &mut self,
        path: &str,
        items: &[String],
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let mut parsed = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            parsed.extend(self.accept(format!("{path}[{index}]"), parse(item)));
        }
        parsed
    }

    /// Notes a list that is too short or too long.
    pub(super) fn check_count(&mut self, path: &str, found: usize, least: usize, most: usize) {
        if found < least {
            self.refuse(
                path,
                format_args!("is empty, {least} to {most} items are needed"),
            );
        } else if found > most {
            self.refuse(
                path,
                format_args!("has {found} items, at most {most} are allowed"),
            );
        }
    }

    /// The number as a count, or a note that it is out of bounds.
    pub(super) fn accept_number(
        &mut self,
        path: &str,
        number: i32,
        least: i32,
        most: i32,
    ) -> Option<usize> {
        if (least..=most).contains(&number) {
            return usize::try_from(number).ok();
        }
        self.refuse(
            path,
            format_args!("is {number}, expected {least} to {most}"),
        );
        None
    }

    /// Notes every item that is in the list already.
    pub(super) fn refuse_repeats<'a>(&mut self, items: impl Iterator<Item = (String, &'a str)>) {
        let mut first: Vec<(&str, String)> = Vec::new();
        for (path, item) in items {
            match first.iter().find(|(known, _)| *known == item) {
                Some((_, known)) => {
                    self.refuse(path, format_args!("{item:?} is already in {known}"));
                }
                None => first.push((item, path)),
            }
        }
    }

    /// Whether nothing was noted so far.
    pub(super) fn is_valid(&self) -> bool {
        self.invalid.is_empty()
    }

    pub(super) fn into_invalid(self) -> Vec<InvalidField> {
        self.invalid
    }
}
