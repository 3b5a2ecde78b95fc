// SPDX-License-Identifier: Apache-2.0

//! The operators of a range, and why a text is no range.

/// Longest range, in bytes.
pub const RANGE_LENGTH: usize = 256;

/// Why a text is not a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The range, or one side of `||`, is empty.
    #[error("range {0:?} has an empty part: write * for any version")]
    Empty(String),
    /// The range is too long.
    #[error("the range has {found} characters, at most {most} are allowed", most = RANGE_LENGTH)]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// An operator does not exist.
    #[error("range {text:?} has the operator {operator:?}: use =, !=, >, >=, <, <=, ~ or ^")]
    UnknownOperator {
        /// The range.
        text: String,
        /// The operator.
        operator: String,
    },
    /// An operator has no version behind it.
    #[error("range {text:?} has nothing behind {operator:?}")]
    DanglingOperator {
        /// The range.
        text: String,
        /// The operator.
        operator: String,
    },
    /// A word is not a version.
    #[error("range {text:?} has {word:?} where a version such as 1.20, 1.20.3 or 1.x must stand")]
    NotAVersion {
        /// The range.
        text: String,
        /// The word.
        word: String,
    },
    /// A hyphen does not stand between two versions.
    #[error(
        "range {0:?} has a hyphen that does not stand alone between two versions, as in 1.2 - 1.5"
    )]
    BadHyphen(String),
}

/// What stands in front of a version.
#[derive(Clone, Copy)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Tilde,
    Caret,
}

// === impl Operator ===

impl Operator {
    /// The operator of this sign; `text` is the whole range.
    pub(super) fn parse(text: &str, sign: &str) -> Result<Self, RangeError> {
        match sign {
            "" | "=" | "==" => Ok(Self::Equal),
            "!=" => Ok(Self::NotEqual),
            ">" => Ok(Self::Greater),
            ">=" | "=>" => Ok(Self::GreaterOrEqual),
            "<" => Ok(Self::Less),
            "<=" | "=<" => Ok(Self::LessOrEqual),
            "~" | "~>" => Ok(Self::Tilde),
            "^" => Ok(Self::Caret),
            _ => Err(RangeError::UnknownOperator {
                text: text.to_owned(),
                operator: sign.to_owned(),
            }),
        }
    }
}
