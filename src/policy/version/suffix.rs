//! What stands behind the numbers of a version: a prerelease, a variant, both, or something that makes
//! the tag no version.

use super::super::number::Number;
use super::prerelease::Prerelease;

/// Words that begin a prerelease. A word counts when no other letter follows it, so `precise` is a variant.
const PRERELEASE_WORDS: [&str; 24] = [
    "alpha",
    "beta",
    "rc",
    "cr",
    "pre",
    "preview",
    "prerelease",
    "dev",
    "devel",
    "development",
    "snapshot",
    "milestone",
    "nightly",
    "canary",
    "edge",
    "next",
    "head",
    "pr",
    "sha",
    "git",
    "ea",
    "ec",
    "experimental",
    "unstable",
];
/// Begins a prerelease where a number follows: the milestones of Java projects.
const MILESTONE: &str = "m";
/// Begin a prerelease directly between two numbers, as in Python's 3.14.0a2.
const LETTERS: [&str; 2] = ["a", "b"];
/// Words of a prerelease that may also stand behind the variant. Not dev: there it means "with tools".
const LAST_WORDS: [&str; 3] = ["alpha", "beta", "rc"];
/// Words of a variant behind which a number counts the builds of one version.
const BUILD_WORDS: [&str; 12] = [
    "r", "p", "rev", "build", "post", "patch", "hotfix", "k3s", "rke2r", "eksbuild", "gke", "ls",
];
/// Shortest abbreviated commit that is one.
const COMMIT_LENGTH: usize = 7;

/// What stands behind the numbers.
#[derive(Debug, Default)]
pub(super) struct Suffix {
    pub(super) prerelease: Option<Prerelease>,
    /// What else the tag says, without the numbers of builds.
    pub(super) variant: Option<String>,
    /// The numbers of builds, such as 2 in `k3s2`.
    pub(super) builds: Vec<Number>,
}

impl Suffix {
    /// Reads it, or nothing if it does not belong to a version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let (separator, rest) = match text.split_at_checked(1) {
            Some((separator @ ("-" | "_" | "."), rest)) => (separator, rest),
            _ => ("", text),
        };
        if rest.is_empty() {
            return None;
        }
        if begins_prerelease(separator, rest) {
            let (prerelease, variant) = rest.split_at_checked(prerelease_end(rest))?;
            return Some(Self::new(Some(prerelease), variant.get(1..)));
        }
        if separator != "-" && separator != "_" {
            return None;
        }
        Some(match rest.rsplit_once('-') {
            Some((variant, last)) if begins_with_word(last, &LAST_WORDS) => {
                Self::new(Some(last), Some(variant))
            }
            Some(_) | None => Self::new(None, Some(rest)),
        })
    }

    fn new(prerelease: Option<&str>, variant: Option<&str>) -> Self {
        let mut builds = Vec::new();
        let segments = variant.unwrap_or_default().split('-');
        let variant: Vec<&str> = segments
            .map(|segment| match split_build(segment) {
                Some((word, build)) => {
                    builds.push(build);
                    word
                }
                None => segment,
            })
            .collect();
        Self {
            prerelease: prerelease.map(Prerelease::parse),
            variant: Some(variant.join("-")).filter(|variant| !variant.is_empty()),
            builds,
        }
    }
}

/// The word and the number of a build, such as `k3s1` or `eksbuild.2`.
fn split_build(segment: &str) -> Option<(&str, Number)> {
    let word = segment.trim_end_matches(|character: char| character.is_ascii_digit());
    let number = Number::parse(segment.get(word.len()..)?)?;
    let word = word.strip_suffix('.').unwrap_or(word);
    BUILD_WORDS.contains(&word).then_some((word, number))
}

/// Whether what stands behind the numbers and the separator is a prerelease.
fn begins_prerelease(separator: &str, rest: &str) -> bool {
    let first = rest.split('-').next().unwrap_or(rest);
    match separator {
        "" => begins_with_prerelease_word(rest) || begins_with_numbered_word(rest, &LETTERS),
        "-" => begins_with_prerelease_word(rest) || begins_with_digit(rest) || is_commit(first),
        _ => begins_with_prerelease_word(rest),
    }
}

/// Where the prerelease ends: it goes on over dashes as long as numbers, its words or commits follow.
fn prerelease_end(rest: &str) -> usize {
    let mut end = 0;
    for (index, segment) in rest.split('-').enumerate() {
        let goes_on = begins_with_digit(segment)
            || begins_with_prerelease_word(segment)
            || is_commit(segment);
        if index > 0 && !goes_on {
            break;
        }
        end += segment.len() + usize::from(index > 0);
    }
    end
}

pub(super) fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|character: char| character.is_ascii_digit())
}

fn begins_with_prerelease_word(text: &str) -> bool {
    begins_with_word(text, &PRERELEASE_WORDS) || begins_with_numbered_word(text, &[MILESTONE])
}

/// Whether a text begins with one of these words, in any case, and a digit behind it.
fn begins_with_numbered_word(text: &str, words: &[&str]) -> bool {
    begins_with_word(text, words) && begins_with_digit(split_word(text).1)
}

/// Whether a text begins with one of these words, in any case, and no other letter behind it.
fn begins_with_word(text: &str, words: &[&str]) -> bool {
    let (word, _) = split_word(text);
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The letters at the beginning, and the rest.
fn split_word(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_alphabetic())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// `g2414721` as `git describe` writes it, or the digits alone.
fn is_commit(segment: &str) -> bool {
    let digits = segment.strip_prefix('g').unwrap_or(segment);
    digits.len() >= COMMIT_LENGTH && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
