// SPDX-License-Identifier: Apache-2.0

//! Platforms: `os[(version)]/architecture[/variant]`, and when two of them mean the same machine.
//!
//! Names are understood as containerd does (github.com/containerd/platforms, "Normalization"), because
//! nodes choose by its rules: without regard to case, with the names that other tools give an architecture.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::null_as_default;

/// A platform, as an index entry or an image config names it (image specification, index).
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(default)]
pub struct Platform {
    /// The operating system, such as `linux`.
    #[serde(deserialize_with = "null_as_default")]
    pub os: String,
    /// The processor architecture, such as `arm64`.
    #[serde(deserialize_with = "null_as_default")]
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
        "platform {text:?} contains {character:?}: only letters, digits, '_', '.' and '-' are allowed"
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
    /// `amd64` is `amd64/v1`. A version of the operating system counts only where both name it, as far as the
    /// one that is written goes: 10.0.17763 is every build of it.
    pub fn covers(&self, other: &Self) -> bool {
        let same_version = match (&self.os_version, &other.os_version) {
            (Some(mine), Some(theirs)) => is_build_of(theirs, mine),
            (None, _) | (_, None) => true,
        };
        same_version && self.machine() == other.machine()
    }

    /// Whether no program runs what has it: the attestation entries of an index have such a platform.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    /// Whether it says nothing, as in the configs of what is no image.
    pub fn is_empty(&self) -> bool {
        self.os.is_empty() && self.architecture.is_empty()
    }

    /// The operating system, architecture and variant that it means, with the default of a variant.
    fn machine(&self) -> [String; 3] {
        let variant = self.variant.as_deref().unwrap_or_default();
        let (architecture, mut variant) = processor(&self.architecture, variant);
        if variant.is_empty() {
            let default = match architecture.as_str() {
                "arm64" => "v8",
                "arm" => "v7",
                "amd64" => "v1",
                _ => "",
            };
            default.clone_into(&mut variant);
        }
        [system(&self.os), architecture, variant]
    }
}

/// Whether a version is another one, or goes on behind its last number.
fn is_build_of(build: &str, version: &str) -> bool {
    let rest = build.strip_prefix(version);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// An operating system and its version, which stands in brackets behind it.
fn split_version(os: &str) -> Option<(&str, Option<&str>)> {
    let Some((os, rest)) = os.split_once('(') else {
        return (!os.contains(')')).then_some((os, None));
    };
    let version = rest.strip_suffix(')')?;
    let is_plain = !version.is_empty() && !version.contains(['(', ')']);
    is_plain.then_some((os, Some(version)))
}

/// The usual name of an operating system.
fn system(os: &str) -> String {
    let os = os.to_ascii_lowercase();
    if os == "macos" {
        return "darwin".to_owned();
    }
    os
}

/// The usual names of an architecture and its variant. Some names of an architecture mean a variant, too.
fn processor(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = (
        architecture.to_ascii_lowercase(),
        variant.to_ascii_lowercase(),
    );
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("i386", _) => ("386", ""),
        ("armhf", _) | ("arm", "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        ("arm64" | "aarch64", "8") => ("arm64", "v8"),
        ("aarch64", variant) => ("arm64", variant),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        usual => usual,
    };
    (architecture.to_owned(), variant.to_owned())
}

impl FromStr for Platform {
    type Err = PlatformError;

    /// Reads a platform that a person wrote, and gives its parts their usual names.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/()".contains(c);
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
        let form = || PlatformError::Form(text.to_owned());
        let (os, os_version) = split_version(os).ok_or_else(form)?;
        let has_brackets = |part: &str| part.contains(['(', ')']);
        if os.is_empty()
            || architecture.is_empty()
            || variant == Some("")
            || has_brackets(architecture)
            || variant.is_some_and(has_brackets)
        {
            return Err(form());
        }
        let (architecture, variant) = processor(architecture, variant.unwrap_or_default());
        Ok(Self {
            os: system(os),
            architecture,
            variant: (!variant.is_empty()).then_some(variant),
            os_version: os_version.map(str::to_owned),
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
        formatter.write_str(os)?;
        if let Some(version) = os_version.as_deref().filter(|version| !version.is_empty()) {
            write!(formatter, "({version})")?;
        }
        write!(formatter, "/{architecture}")?;
        match variant.as_deref().filter(|variant| !variant.is_empty()) {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
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
            ("linux/386", "linux/amd64", false),
            (
                "windows(10.0.17763)/amd64",
                "windows(10.0.17763.4974)/amd64",
                true,
            ),
            (
                "windows(10.0.17763)/amd64",
                "windows(10.0.17763)/amd64",
                true,
            ),
            (
                "windows(10.0.17763)/amd64",
                "windows(10.0.20348.2113)/amd64",
                false,
            ),
            (
                "windows(10.0.1776)/amd64",
                "windows(10.0.17763)/amd64",
                false,
            ),
            (
                "windows(10.0.17763.1)/amd64",
                "windows(10.0.17763)/amd64",
                false,
            ),
            ("windows(10.0.17763)/amd64", "windows/amd64", true),
            ("windows/amd64", "windows(10.0.17763.4974)/amd64", true),
        ];
        for (wanted, found, expected) in cases {
            let (wanted, found): (Platform, Platform) =
                (wanted.parse().unwrap(), found.parse().unwrap());
            assert_eq!(wanted.covers(&found), expected, "{wanted} and {found}");
        }
    }

    #[test]
    fn names_are_those_of_containerd() {
        let cases = [
            ("linux/arm/5", "linux/arm/v5"),
            ("linux/arm/6", "linux/arm/v6"),
            ("linux/arm/7", "linux/arm/v7"),
            ("linux/arm/8", "linux/arm/v8"),
            ("linux/arm/9", "linux/arm/9"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/armhf/v6", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/arm64/8", "linux/arm64/v8"),
            ("linux/arm64", "linux/arm64"),
            ("linux/arm64/v9", "linux/arm64/v9"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/AArch64/V8", "linux/arm64/v8"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/x86-64/V3", "linux/amd64/v3"),
            ("linux/i386", "linux/386"),
            ("linux/i386/v1", "linux/386"),
            ("Linux/AMD64", "linux/amd64"),
            ("macos/arm64", "darwin/arm64"),
            ("MacOS/x86_64", "darwin/amd64"),
            ("wasip1/wasm", "wasip1/wasm"),
            ("Windows(10.0.17763)/x86_64", "windows(10.0.17763)/amd64"),
            ("linux(5.10)/arm/7", "linux(5.10)/arm/v7"),
        ];
        for (text, expected) in cases {
            let platform: Platform = text.parse().unwrap();
            assert_eq!(platform.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_an_image_says_is_understood_in_the_same_way() {
        let cases = [
            (
                r#"{"os": "linux", "architecture": "x86_64"}"#,
                "linux/amd64",
                true,
            ),
            (
                r#"{"os": "Linux", "architecture": "AMD64", "variant": ""}"#,
                "linux/amd64",
                true,
            ),
            (
                r#"{"os": "linux", "architecture": "aarch64", "variant": "8"}"#,
                "linux/arm64",
                true,
            ),
            (
                r#"{"os": "linux", "architecture": "arm64", "variant": null}"#,
                "linux/arm64/v8",
                true,
            ),
            (
                r#"{"os": "linux", "architecture": "arm", "variant": "7"}"#,
                "linux/arm",
                true,
            ),
            (
                r#"{"os": "linux", "architecture": "armel"}"#,
                "linux/arm/v6",
                true,
            ),
            (
                r#"{"os": "linux", "architecture": "armel"}"#,
                "linux/arm",
                false,
            ),
            (
                r#"{"os": "linux", "architecture": "i386"}"#,
                "linux/386",
                true,
            ),
            (
                r#"{"os": "macos", "architecture": "arm64"}"#,
                "darwin/arm64",
                true,
            ),
            (
                r#"{"os": "linux", "architecture": "amd64", "variant": "v2"}"#,
                "linux/amd64",
                false,
            ),
            (
                r#"{"os": null, "architecture": null}"#,
                "linux/amd64",
                false,
            ),
            (
                r#"{"os": "windows", "architecture": "amd64", "os.version": "10.0.1"}"#,
                "windows/amd64",
                true,
            ),
        ];
        for (text, wanted, expected) in cases {
            let found: Platform = serde_json::from_str(text).unwrap();
            let wanted: Platform = wanted.parse().unwrap();
            assert_eq!(wanted.covers(&found), expected, "{wanted} and {text}");
        }
    }

    #[test]
    fn texts_that_are_not_platforms() {
        for text in [
            "",
            "linux",
            "arm64",
            "linux/",
            "/amd64",
            "linux/arm/v7/x",
            "linux/arm/",
            "linux amd64",
            "linux/*",
            "windows()/amd64",
            "windows(10.0/amd64",
            "windows10.0)/amd64",
            "windows((10.0))/amd64",
            "(10.0)/amd64",
            "windows/amd64(10.0)",
            "windows/amd64/v1(10.0)",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text:?}");
        }
    }
}
