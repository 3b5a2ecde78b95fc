// SPDX-License-Identifier: Apache-2.0

//! What an answer means, by its status, its error code, the words with it, the class of the request
//! and whose registry it is: one table, in which the first row that fits counts.
//!
//! The status decides where it can. Codes and words count where registries use one status for several
//! things that a person mends in different ways.

use super::class::Class;
use super::kind::{Kind, Side};
use Codes::{Any as AnyCode, NameUnknown, NoPart, OneOf};
use On::{Anything, Delete, ManifestWrite, Read, Start, Storage, Upload, Write};
use Status::{Between, Is};

/// An answer, as far as its meaning depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire<'a> {
    pub(super) status: u16,
    /// In upper case; empty where there is none.
    pub(super) code: &'a str,
    /// The code and the words of the peer, in lower case.
    pub(super) words: &'a str,
    pub(super) class: Class,
    /// Whether another host answers than the registry: its storage.
    pub(super) is_storage: bool,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Unauthenticated,
    Denied,
    Unlicensed,
    NoOverwrite,
    BlockedByPolicy,
    Absent,
    NoRepository,
    ImmutableTag,
    ProtectedManifest,
    TooMany,
    NoRoom,
    TooLarge,
    LostUpload,
    LacksContent,
    BadName,
    NoSuchName,
    BadManifest,
    BadBytes,
    ReadOnly,
    Rejected,
    Overloaded,
    Gateway,
    Cloudflare,
    Trouble,
    StorageRefuses,
    StorageLost,
    StorageTrouble,
    Senseless,
}

/// A status, or all of a range.
enum Status {
    Is(&'static [u16]),
    Between(u16, u16),
}

/// Error codes.
enum Codes {
    Any,
    OneOf(&'static [&'static str]),
    /// The repository is unknown, by whatever code.
    NameUnknown,
    /// A part of what is written is unknown.
    NoPart,
}

/// What was asked for.
enum On {
    Anything,
    Read,
    Write,
    Start,
    Upload,
    ManifestWrite,
    Delete,
    /// Anything, from the storage behind a redirect.
    Storage,
}

/// Phrases of which one is enough; none: whatever is said. See [`says`].
type Words = &'static [&'static str];

/// The words of registries that protect a tag.
const IMMUTABLE: Words = &[
    "immutab",
    // Nexus, a hosted repository without redeploy.
    "does not allow updating",
    "cannot be updated",
    "cannot be overwritten",
    "tagalreadyexists",
    "tag_already_exists",
    "tag already exists",
    // GitLab's protected tags, Azure's locked ones.
    "protected tag",
    "protected_tag",
    "tag is locked",
    "write-enabled",
];
/// The same said of a tag, in words that stand beside each other: a registry may be read-only as a whole, too.
const OF_TAG: Words = &[
    "tag ? is ? protected",
    "tag ? is ? readonly",
    "tag ? is ? locked",
    "tag ? is ? write-protected",
];
/// The words of registries that have no room.
const QUOTA: Words = &[
    "quota",
    // Harbor.
    "configured upper limit",
    "storage limit",
    "limit exceeded",
    "limit has been reached",
    "exceeds the limit",
    "no space left",
    "disk full",
    "insufficient storage",
    // distribution on a full disk: ENOSPC.
    "err=28",
    // DigitalOcean.
    "repositories, limit is",
];
/// The words of registries that are asked too much and say it under another status.
const LIMITED: Words = &[
    "too many requests",
    "toomanyrequests",
    "rate limit",
    "throttl",
];

/// The words of registries that do not like how a tag is written.
const GRAMMAR: Words = &[
    "match",
    "character",
    "too long",
    "format",
    "pattern",
    "regex",
];

/// The words of registries that keep an image back because of what is in it.
const BLOCKED: Words = &["blocking policy", "xray", "vulnerabilit", "quarantine"];

const ANY: Words = &[];
const ALL: Status = Between(0, 999);
const CLIENT: Status = Between(400, 499);

/// The table: status, code, words, what was asked for, meaning.
#[rustfmt::skip]
const ROWS: &[(Status, Codes, Words, On, Meaning)] = &[
    // === behind a redirect ===
    (Is(&[429]), AnyCode, ANY, Storage, Meaning::TooMany),
    (Is(&[404, 410]), AnyCode, ANY, Storage, Meaning::StorageLost),
    (CLIENT, AnyCode, ANY, Storage, Meaning::StorageRefuses),
    (Between(500, 599), AnyCode, ANY, Storage, Meaning::StorageTrouble),
    // === limits ===
    (ALL, OneOf(&["TOOMANYREQUESTS"]), ANY, Anything, Meaning::TooMany),
    (Is(&[429]), AnyCode, ANY, Anything, Meaning::TooMany),
    (Is(&[400, 403, 503]), AnyCode, LIMITED, Anything, Meaning::TooMany),
    (ALL, OneOf(&["QUOTA_EXCEEDED", "LIMITEXCEEDEDEXCEPTION"]), ANY, Anything, Meaning::NoRoom),
    (Is(&[507]), AnyCode, ANY, Anything, Meaning::NoRoom),
    (Between(400, 599), AnyCode, QUOTA, Write, Meaning::NoRoom),
    // === tags that stay as they are ===
    (CLIENT, AnyCode, IMMUTABLE, ManifestWrite, Meaning::ImmutableTag),
    (CLIENT, AnyCode, OF_TAG, ManifestWrite, Meaning::ImmutableTag),
    // Harbor answers so for its rules of immutability alone.
    (Is(&[412]), AnyCode, ANY, ManifestWrite, Meaning::ImmutableTag),
    (CLIENT, OneOf(&["TAG_INVALID"]), GRAMMAR, ManifestWrite, Meaning::BadName),
    // ECR says so of immutable tags; ours are tags by the grammar.
    (Is(&[400, 409]), OneOf(&["TAG_INVALID"]), ANY, ManifestWrite, Meaning::ImmutableTag),
    (CLIENT, AnyCode, IMMUTABLE, Delete, Meaning::ProtectedManifest),
    (CLIENT, AnyCode, OF_TAG, Delete, Meaning::ProtectedManifest),
    // === repositories that do not exist ===
    (Is(&[400, 404]), NameUnknown, ANY, Start, Meaning::NoRepository),
    (Is(&[400, 404]), NameUnknown, ANY, Upload, Meaning::NoRepository),
    (Is(&[400, 404]), NameUnknown, ANY, ManifestWrite, Meaning::NoRepository),
    (Is(&[404]), AnyCode, &["project", "repository", "namespace"], Start, Meaning::NoRepository),
    // === who asks ===
    // Artifactory, where the right to overwrite is missing (kaniko#1095).
    (CLIENT, OneOf(&["MANIFEST_INVALID"]), &["403 forbidden"], ManifestWrite, Meaning::NoOverwrite),
    (Is(&[403]), AnyCode, &["overwrite"], Write, Meaning::NoOverwrite),
    (CLIENT, OneOf(&["PROJECTPOLICYVIOLATION"]), ANY, Anything, Meaning::BlockedByPolicy),
    (Is(&[412]), AnyCode, ANY, Read, Meaning::BlockedByPolicy),
    (Is(&[403]), AnyCode, BLOCKED, Read, Meaning::BlockedByPolicy),
    (Is(&[451]), AnyCode, ANY, Anything, Meaning::BlockedByPolicy),
    (Is(&[402]), AnyCode, ANY, Anything, Meaning::Unlicensed),
    (Is(&[401]), AnyCode, ANY, Anything, Meaning::Unauthenticated),
    (Is(&[403]), AnyCode, ANY, Anything, Meaning::Denied),
    // === what is missing ===
    (Is(&[404, 416]), AnyCode, ANY, Upload, Meaning::LostUpload),
    (Is(&[400, 404]), NoPart, ANY, ManifestWrite, Meaning::LacksContent),
    (Is(&[404, 410]), AnyCode, ANY, Anything, Meaning::Absent),
    // === what is not taken ===
    (CLIENT, OneOf(&["NAME_INVALID", "TAG_INVALID"]), ANY, Write, Meaning::BadName),
    (CLIENT, OneOf(&["NAME_INVALID", "TAG_INVALID"]), ANY, Read, Meaning::NoSuchName),
    (Is(&[413]), AnyCode, ANY, Write, Meaning::TooLarge),
    (CLIENT, OneOf(&["DIGEST_INVALID", "SIZE_INVALID"]), ANY, Upload, Meaning::BadBytes),
    (CLIENT, OneOf(&["MANIFEST_INVALID"]), ANY, ManifestWrite, Meaning::BadManifest),
    (Is(&[415, 422]), AnyCode, ANY, ManifestWrite, Meaning::BadManifest),
    // distribution as a pull-through cache, or set to read only.
    (Is(&[405]), AnyCode, ANY, Start, Meaning::ReadOnly),
    (Is(&[405]), AnyCode, ANY, ManifestWrite, Meaning::ReadOnly),
    (ALL, AnyCode, &["read-only", "read only", "readonly"], Write, Meaning::ReadOnly),
    // === what may pass ===
    (Is(&[503]), AnyCode, ANY, Anything, Meaning::Overloaded),
    (Is(&[502, 504]), AnyCode, ANY, Anything, Meaning::Gateway),
    (Between(520, 530), AnyCode, ANY, Anything, Meaning::Cloudflare),
    (Between(500, 599), AnyCode, ANY, Anything, Meaning::Trouble),
    (Is(&[408, 425]), AnyCode, ANY, Anything, Meaning::Trouble),
    // === the rest ===
    (CLIENT, AnyCode, ANY, Write, Meaning::Rejected),
];

/// What each meaning is for the one who asked, and what to do.
#[rustfmt::skip]
const MEANINGS: &[(Meaning, Kind, &str)] = &[
    (Meaning::Unauthenticated, Kind::AuthenticationFailed, "the credential is not accepted for this, or the repository does not exist"),
    (Meaning::Denied, Kind::AccessDenied, "the credential may not do this"),
    (Meaning::Unlicensed, Kind::AccessDenied, "the account at the registry does not cover this"),
    (Meaning::NoOverwrite, Kind::AccessDenied, "the credential may not overwrite what is there: give it that right (deleting is part of it at some registries)"),
    (Meaning::BlockedByPolicy, Kind::AccessDenied, "a rule of the registry withholds this image"),
    (Meaning::Absent, Kind::NotFound, "there is no such thing at the registry, or the credential may not see it"),
    (Meaning::NoRepository, Kind::RepositoryMissing, "the repository, or the project above it, does not exist, and the registry does not make it by itself: create it there, or let the registry create it on push (at ECR with a repository creation template)"),
    (Meaning::ImmutableTag, Kind::TagImmutable, "the registry does not let this tag be overwritten: exempt it from the rule there, delete it there, or give it another name"),
    (Meaning::ProtectedManifest, Kind::TagImmutable, "the registry protects it from being deleted: exempt it from the rule there"),
    (Meaning::TooMany, Kind::RateLimited, "too many requests for the registry"),
    (Meaning::NoRoom, Kind::QuotaExceeded, "the registry has no room left: free some or raise the quota"),
    (Meaning::TooLarge, Kind::Rejected, "it is larger than the registry, or a proxy in front of it, takes: raise the limit there"),
    (Meaning::LostUpload, Kind::Interrupted, "the registry has forgotten the upload: if it runs several times, all must share storage and secret"),
    (Meaning::LacksContent, Kind::Rejected, "the registry does not have all that the manifest names, or does not show it yet"),
    (Meaning::BadName, Kind::Rejected, "the registry takes no such name: change the template of the repository or tag"),
    (Meaning::NoSuchName, Kind::Protocol, "the registry has no such names: check the repository"),
    (Meaning::BadManifest, Kind::Rejected, "the registry does not take such a manifest"),
    (Meaning::BadBytes, Kind::Rejected, "what arrived there is not what its digest says: something on the way changes it"),
    (Meaning::ReadOnly, Kind::Rejected, "the registry takes no writes here: it is read-only, or a cache of another one"),
    (Meaning::Rejected, Kind::Rejected, "the registry does not accept it"),
    (Meaning::Overloaded, Kind::Unreachable, "the registry is overloaded or not available: its log says more"),
    (Meaning::Gateway, Kind::Unreachable, "what stands in front of the registry gets no answer from it: its log says more"),
    (Meaning::Cloudflare, Kind::Unreachable, "Cloudflare, in front of the registry, gets no answer from it"),
    (Meaning::Trouble, Kind::Unreachable, "the registry is in trouble: its log says more"),
    (Meaning::StorageRefuses, Kind::Unreachable, "the storage does not accept what the registry signed: check the registry's clock and its key there, and whether a firewall or proxy answers in place of the storage"),
    (Meaning::StorageLost, Kind::NotFound, "the registry knows it, and its storage has lost it"),
    (Meaning::StorageTrouble, Kind::Unreachable, "the storage is in trouble"),
    (Meaning::Senseless, Kind::Protocol, "an answer that makes no sense here"),
];

// === impl Meaning ===

impl Meaning {
    /// What an answer means.
    pub(super) fn of(wire: &Wire<'_>) -> Self {
        let row = ROWS.iter().find(|(status, codes, words, on, _)| {
            status.fits(wire.status)
                && codes.fits(wire.code)
                && (words.is_empty() || words.iter().any(|phrase| says(wire.words, phrase)))
                && on.fits(wire)
        });
        row.map_or(Self::Senseless, |(.., meaning)| *meaning)
    }

    fn entry(self) -> Option<&'static (Self, Kind, &'static str)> {
        MEANINGS.iter().find(|(meaning, ..)| *meaning == self)
    }

    /// What it means for the one who asked.
    pub(super) fn kind(self) -> Kind {
        self.entry().map_or(Kind::Protocol, |(_, kind, _)| *kind)
    }

    /// What it is and what to do, in words. `says` is whether the peer's own words stand behind it.
    pub(super) fn advice(self, class: Class, side: Option<Side>, says: bool) -> String {
        if self == Self::Denied {
            return denied(class, side);
        }
        let is_unexplained = !says && matches!(self, Self::Rejected | Self::BadManifest);
        let log = if is_unexplained {
            ": its log says why"
        } else {
            ""
        };
        let words = self.entry().map_or("", |(.., words)| words);
        format!("{words}{log}")
    }
}

/// Whether a phrase stands in a text. One with `?`, which is any word or none, is made of whole words, whatever
/// signs stand around them.
fn says(text: &str, phrase: &str) -> bool {
    if !phrase.contains('?') {
        return text.contains(phrase);
    }
    let text = ["read only", "read-only", "read_only"]
        .into_iter()
        .fold(text.to_owned(), |text, words| {
            text.replace(words, "readonly")
        });
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|sign: char| !sign.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    let phrase: Vec<&str> = phrase.split(' ').collect();
    (0..words.len()).any(|start| begins(words.get(start..).unwrap_or_default(), &phrase))
}

fn begins(words: &[&str], phrase: &[&str]) -> bool {
    match (phrase.split_first(), words.split_first()) {
        (None, _) => true,
        (Some((&"?", rest)), None) => begins(words, rest),
        (Some((&"?", rest)), Some((_, others))) => begins(words, rest) || begins(others, rest),
        (Some((wanted, rest)), Some((word, others))) => wanted == word && begins(others, rest),
        (Some(_), None) => false,
    }
}

fn denied(class: Class, side: Option<Side>) -> String {
    let (does, right) = match (class, side) {
        (Class::ManifestDelete, _) => ("delete", "to delete"),
        (Class::ManifestWrite | Class::UploadStart | Class::Upload, _) => {
            ("write", "to pull and push")
        }
        (_, Some(Side::Destination)) => ("look at", "to pull and push"),
        (Class::Lookup | Class::ManifestRead | Class::BlobRead, _) => ("read", "to pull"),
    };
    format!("the credential may not {does} this: give it the right {right}, or use another one")
}

// === impl Status, Codes, On ===

impl Status {
    fn fits(&self, status: u16) -> bool {
        match self {
            Is(list) => list.contains(&status),
            Between(first, last) => (*first..=*last).contains(&status),
        }
    }
}

impl Codes {
    fn fits(&self, code: &str) -> bool {
        match self {
            AnyCode => true,
            OneOf(list) => list.contains(&code),
            NameUnknown => matches!(
                code,
                "NAME_UNKNOWN"
                    | "REPOSITORY_UNKNOWN"
                    | "REPOSITORYNOTFOUNDEXCEPTION"
                    | "PROJECT_UNKNOWN"
            ),
            NoPart => {
                matches!(
                    code,
                    "MANIFEST_UNKNOWN" | "MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN"
                )
            }
        }
    }
}

impl On {
    fn fits(&self, wire: &Wire<'_>) -> bool {
        let class = wire.class;
        match self {
            Storage => wire.is_storage,
            Anything => true,
            Read => !class.is_write(),
            Write => class.is_write(),
            Start => class == Class::UploadStart,
            Upload => class == Class::Upload,
            ManifestWrite => class == Class::ManifestWrite,
            Delete => class == Class::ManifestDelete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_tag_is_not_said_of_the_registry() {
        let cases = [
            ("denied tag v1 is protected", true),
            ("the tag 'v1.2-rc_1' is protected", true),
            ("the tag 'v1.2' is protected.", true),
            ("tag is read only", true),
            ("tag \"v1\" is read-only", true),
            ("tag v1 is currently read_only", true),
            ("tag: v1 is locked", true),
            ("unsupported tag is readonly", true),
            ("the registry is read only", false),
            ("cannot write the tag: the registry is read only", false),
            ("tags are protected", false),
            ("tag is", false),
            ("", false),
        ];
        for (text, expected) in cases {
            let found = OF_TAG.iter().any(|phrase| says(text, phrase));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn every_meaning_of_the_table_says_what_it_is() {
        let meanings = ROWS.iter().map(|(.., meaning)| *meaning);
        for meaning in meanings.chain([Meaning::Senseless]) {
            assert!(meaning.entry().is_some(), "{meaning:?}");
        }
    }
}
