// SPDX-License-Identifier: Apache-2.0

//! The file as it is written, read as the programs read it that write it: those in Go, with `encoding/json`.
//!
//! There names of fields have any case, `null` is nothing (or an empty entry of a map), what stands twice counts
//! as it stands last, and two maps of one name are one map. What follows the object is not read (docker/cli).

use std::collections::BTreeMap;

use serde::de::MapAccess;
use serde::{Deserialize, Deserializer};

use super::entry::Entry;
use super::fields::{Fields, Value, read_fields};

/// What a Docker config says about credentials.
#[derive(Default)]
pub(super) struct File {
    pub(super) auths: BTreeMap<String, Entry>,
    pub(super) cred_helpers: BTreeMap<String, String>,
    pub(super) creds_store: String,
}

// === impl File ===

impl File {
    /// The first object of a text, without the mark that some editors put in front of it.
    pub(super) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let mut reader = serde_json::Deserializer::from_slice(json);
        Option::deserialize(&mut reader).map(Option::unwrap_or_default)
    }
}

impl Fields for File {
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        value: Value<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "auths" => value.merge(&mut self.auths),
            "credhelpers" => value.merge(&mut self.cred_helpers),
            "credsstore" => value.set(&mut self.creds_store),
            _ => value.skip(),
        }
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_fields(deserializer)
    }
}
