//! Platforms: `os/architecture[/variant]`, and when two of them mean the same machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A platform, as an index entry or an image config names it (image specification, index).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(default)]
pub struct Platform {
    /// The operating system, such as `linux`.
    pub os: String,
    /// The processor architecture, such as `arm64`.
    pub architecture: String,
    /// The variant of the processor, such as `v8`.
    pub variant: Option<String>,
    /// The version of the operating system; Windows images carry it.
    #[serde(rename = "os.version")]
    pub os_version: Option<String>,
}

/// Why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// There are too few or too many parts, or one is empty.
    #[error(
        "platform {0:?} must be os/architecture or os/architecture/variant, such as linux/arm64"
    )]
    Form(String),
    /// A character does not belong there.
    #[error(
        "platform {text:?} contains {character:?}: only lower-case letters, digits, '_', '.' and '-' are allowed"
    )]
    Character {
        /// The whole text.
        text: String,
        /// The first wrong character.
        character: char,
    },
}

impl Platform {
    /// Whether an image for `other` is what a person means who writes this platform.
    ///
    /// Variants are compared with their defaults: `arm64` is `arm64/v8`, `arm` is `arm/v7` and
    /// `amd64` is `amd64/v1`. A version of the operating system counts only where both name it.
    pub fn covers(&self, other: &Self) -> bool {
        let same_version = match (&self.os_version, &other.os_version) {
            (Some(mine), Some(theirs)) => mine == theirs,
            (None, _) | (_, None) => true,
        };
        self.os == other.os
            && self.normal_architecture() == other.normal_architecture()
            && self.normal_variant() == other.normal_variant()
            && same_version
    }

    /// Whether the platform says nothing, as the attestation entries of an index do.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    fn normal_architecture(&self) -> &str {
        match self.architecture.as_str() {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
    }

    fn normal_variant(&self) -> &str {
        let default = match self.normal_architecture() {
            "arm64" => "v8",
            "arm" => "v7",
            "amd64" => "v1",
            _ => "",
        };
        self.variant
            .as_deref()
            .filter(|variant| !variant.is_empty())
            .unwrap_or(default)
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-' | '/')
        };
        if let Some(character) = text.chars().find(|&character| !allowed(character)) {
            return Err(PlatformError::Character {
                text: text.to_owned(),
                character,
            });
        }
        let mut parts = text.split('/');
        let (Some(os), Some(architecture), variant, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(PlatformError::Form(text.to_owned()));
        };
        if os.is_empty() || architecture.is_empty() || variant == Some("") {
            return Err(PlatformError::Form(text.to_owned()));
        }
        Ok(Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
            os_version: None,
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            os,
            architecture,
            variant,
            os_version,
        } = self;
        write!(formatter, "{os}/{architecture}")?;
        if let Some(variant) = variant.as_deref().filter(|variant| !variant.is_empty()) {
            write!(formatter, "/{variant}")?;
        }
        if let Some(version) = os_version.as_deref().filter(|version| !version.is_empty()) {
            write!(formatter, " ({version})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_that_mean_the_same() {
        let cases = [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/amd64/v1", true),
            ("linux/amd64", "linux/amd64/v3", false),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/v8", "linux/aarch64", true),
            ("linux/arm", "linux/arm/v7", true),
            ("linux/arm", "linux/arm/v6", false),
            ("linux/arm/v6", "linux/arm/v6", true),
            ("linux/amd64", "windows/amd64", false),
            ("linux/riscv64", "linux/riscv64", true),
        ];
        for (wanted, found, expected) in cases {
            let (wanted, found): (Platform, Platform) =
                (wanted.parse().unwrap(), found.parse().unwrap());
            assert_eq!(wanted.covers(&found), expected, "{wanted} and {found}");
        }
    }

    #[test]
    fn texts_that_are_not_platforms() {
        for text in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "linux/arm/v7/x",
            "linux/arm/",
            "Linux/amd64",
            "linux amd64",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text:?}");
        }
    }
}
