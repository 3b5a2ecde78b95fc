// SPDX-License-Identifier: Apache-2.0

//! The words that stand behind the numbers of versions, and what they mean.

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
    "eap",
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
/// Words of which the first is another spelling of the second (Maven's version order).
const ALIASES: [(&str, &str); 4] = [
    ("a", "alpha"),
    ("b", "beta"),
    ("m", "milestone"),
    ("cr", "rc"),
];
/// What was built on the way to what stands in front: 1.0-rc1-SNAPSHOT is older than 1.0-rc1 (Maven), and
/// 1.0rc1.dev3 is older than 1.0rc1 (PEP 440).
const UNFINISHED: [&str; 2] = ["snapshot", "dev"];
/// Words of Maven that say no more than that this is the release.
const RELEASE_WORDS: [&str; 3] = ["final", "ga", "release"];
/// The word of a correction that needs no number.
const SERVICE_PACK: &str = "sp";
/// Words behind which a number counts the corrections of a release.
const CORRECTION_WORDS: [&str; 7] = [
    SERVICE_PACK,
    "p",
    "patch",
    "hf",
    "hotfix",
    "security",
    "post",
];
/// Words of a variant behind which numbers count the builds of one version: those of packagers, and those of
/// vendors who build what others release.
const BUILD_WORDS: [&str; 35] = [
    "r",
    "ga",
    "p",
    "rev",
    "revision",
    "rel",
    "build",
    "bld",
    "ci",
    "post",
    "patch",
    "hf",
    "hotfix",
    "security",
    "ls",
    "k3s",
    "rke2",
    "rke2r",
    "rancher",
    "eks",
    "eksbuild",
    "gke",
    "aks",
    "oke",
    "pks",
    "tkg",
    "vmware",
    "redhat",
    "mesosphere",
    "d2iq",
    "hardened",
    "flannel",
    "envoy",
    "ce",
    "ee",
];
/// Do so only in front of all others, as in Redis Stack's 7.4.0-v1 and Yugabyte's 2024.2.0.0-b145: `arm-v7` is an
/// architecture, and `cu128-b200` a graphics card.
const FIRST_BUILD_WORDS: [&str; 2] = ["v", "b"];
/// Words that announce a commit in metadata.
const COMMIT_WORDS: [&str; 4] = ["git", "sha", "commit", "g"];
/// Shortest abbreviated commit that is one.
const COMMIT_LENGTH: usize = 7;

/// Whether a text begins with a word of a prerelease.
pub(super) fn begins_prerelease(text: &str) -> bool {
    is_one_of(split(text).0, &PRERELEASE_WORDS) || begins_numbered(text, &[MILESTONE])
}

/// Whether a text that stands directly behind a number begins with the letter of a prerelease.
pub(super) fn begins_letter(text: &str) -> bool {
    begins_numbered(text, &LETTERS)
}

/// Whether a text begins with a word of a prerelease that may stand behind the variant.
pub(super) fn begins_last_word(text: &str) -> bool {
    is_one_of(split(text).0, &LAST_WORDS)
}

/// Whether a text begins with a word that announces a commit.
pub(super) fn begins_commit_word(text: &str) -> bool {
    is_one_of(split(text).0, &COMMIT_WORDS)
}

/// The one spelling of a word of a prerelease, in small letters.
pub(super) fn canonical(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == word);
    alias.map_or(word, |(_, canonical)| (*canonical).to_owned())
}

/// Whether a word in its one spelling says that this is no release: a commit does not.
pub(super) fn says_prerelease(word: &str) -> bool {
    PRERELEASE_WORDS.contains(&word) && !COMMIT_WORDS.contains(&word)
}

pub(super) fn is_unfinished(word: &str) -> bool {
    UNFINISHED.contains(&word)
}

pub(super) fn is_release(word: &str) -> bool {
    is_one_of(word, &RELEASE_WORDS)
}

pub(super) fn is_service_pack(word: &str) -> bool {
    word.eq_ignore_ascii_case(SERVICE_PACK)
}

pub(super) fn is_correction(word: &str) -> bool {
    is_one_of(word, &CORRECTION_WORDS)
}

pub(super) fn counts_builds(word: &str) -> bool {
    is_one_of(word, &BUILD_WORDS)
}

/// Whether numbers behind a word count builds where it stands in front of all others.
pub(super) fn counts_first_builds(word: &str) -> bool {
    counts_builds(word) || is_one_of(word, &FIRST_BUILD_WORDS)
}

/// Whether a segment that stands in front of all others is a word of builds and digits alone: `b1000000` counts, although
/// all of it are digits of a commit. What `git describe` announces by its `g` is one.
pub(super) fn is_first_build(segment: &str) -> bool {
    let (word, digits) = split(segment);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number && counts_first_builds(word) && !(word.starts_with('g') && is_commit(segment))
}

/// Whether a text begins with the letter of a prerelease, a dot and a number, as in 0.108.0-b.59.
pub(super) fn begins_dotted_letter(text: &str) -> bool {
    let (word, behind) = split(text);
    is_one_of(word, &LETTERS) && behind.strip_prefix('.').is_some_and(begins_with_digit)
}

/// What stands behind `.v` and a commit, as in 3283.v92c105e0f819-1: Jenkins' versions are a number and a commit, in
/// which `_` divides what would read as a word.
pub(super) fn behind_commit(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(".v")?;
    let is_digit = |character: char| character.is_ascii_hexdigit() || character == '_';
    let end = rest.find(|character| !is_digit(character));
    let (commit, behind) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    let is_over = behind.is_empty() || behind.starts_with('-');
    (commit.len() >= COMMIT_LENGTH && is_over).then_some(behind)
}

/// Whether a segment is a commit, and not a word that has only the letters of one.
pub(super) fn has_digits_of_commit(segment: &str) -> bool {
    is_commit(segment) && segment.bytes().any(|byte| byte.is_ascii_digit())
}

/// `g2414721` as `git describe` writes it, or the digits alone.
pub(super) fn is_commit(segment: &str) -> bool {
    let digits = segment.strip_prefix('g').unwrap_or(segment);
    digits.len() >= COMMIT_LENGTH && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|character: char| character.is_ascii_digit())
}

/// The letters at the beginning, and the rest.
pub(super) fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_alphabetic())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Whether a text begins with one of these words and a digit behind it.
fn begins_numbered(text: &str, words: &[&str]) -> bool {
    let (word, behind) = split(text);
    is_one_of(word, words) && begins_with_digit(behind)
}

/// Whether a word is one of these, in any case.
fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}
