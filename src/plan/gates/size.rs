// SPDX-License-Identifier: Apache-2.0

//! Sizes as people write them.

use std::fmt;
use std::str::FromStr;

/// The units with their number of bytes, as Kubernetes writes quantities.
const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("k", 1_000),
    ("Ki", 1 << 10),
    ("M", 1_000_000),
    ("Mi", 1 << 20),
    ("G", 1_000_000_000),
    ("Gi", 1 << 30),
    ("T", 1_000_000_000_000),
    ("Ti", 1 << 40),
];

/// A number of bytes, such as `500Mi`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    text: String,
    bytes: u64,
}

/// Why a text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// It is not a number with a unit.
    #[error(
        "size {0:?} is not understood: write bytes, or a number with k, Ki, M, Mi, G, Gi, T or Ti, such as 500Mi"
    )]
    Form(String),
    /// No image is that small.
    #[error("size {0:?} admits nothing: write a larger one")]
    Zero(String),
    /// No image is that large.
    #[error("size {0:?} is larger than any image: write a smaller one")]
    TooLarge(String),
}

impl Size {
    /// The number of bytes.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || SizeError::Form(text.to_owned());
        let end = text
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end).ok_or_else(form)?;
        let known = UNITS.into_iter().find(|(name, _)| *name == unit);
        let (_, factor) = known.ok_or_else(form)?;
        if number.is_empty() {
            return Err(form());
        }
        let too_large = || SizeError::TooLarge(text.to_owned());
        let number: u64 = number.parse().map_err(|_| too_large())?;
        match number.checked_mul(factor).ok_or_else(too_large)? {
            0 => Err(SizeError::Zero(text.to_owned())),
            bytes => Ok(Self {
                text: text.to_owned(),
                bytes,
            }),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}
