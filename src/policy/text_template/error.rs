// SPDX-License-Identifier: Apache-2.0

//! Why a template makes no text.

/// Why a template makes no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextTemplateError {
    /// It is not closed.
    #[error("{{{{ at character {0} is not closed with }}}}")]
    Open(usize),
    /// A block is not ended, or what ends was not begun.
    #[error("{{{{range}}}}, {{{{if}}}} and {{{{end}}}} do not match")]
    Blocks,
    /// There is more of it than anybody writes.
    #[error("the template is too large")]
    TooLarge,
    /// A word is not known.
    #[error(
        "{0:?} is not understood: there are fields such as .Config.User, and json, index, join, len, println, upper, lower, range, if, else, end"
    )]
    Word(String),
    /// There is no such field.
    #[error("there is no field {field:?}: there are {known}")]
    Field {
        /// The field.
        field: String,
        /// Those that are there.
        known: String,
    },
    /// A function was given something else than it takes.
    #[error("{0} cannot be used on that")]
    Operand(&'static str),
}
