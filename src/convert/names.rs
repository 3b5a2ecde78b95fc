// SPDX-License-Identifier: Apache-2.0

//! Names of objects and of destinations.

use std::collections::BTreeMap;

use crate::oci::Registry;

/// Longest name of an object that is made of other names.
const NAME_LENGTH: usize = 63;
/// Parts of a host that tell nothing about it.
const COMMON: [&str; 8] = [
    "registry", "hub", "mirror", "www", "dkr", "ecr", "cr", "docker",
];

/// Names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, usize>);

impl Names {
    pub(super) fn unique(&mut self, wanted: &str) -> String {
        let wanted = label(wanted);
        let count = self.0.entry(wanted.clone()).or_default();
        *count += 1;
        match *count {
            1 => wanted,
            count => format!("{wanted}-{count}"),
        }
    }
}

/// The part of a host that tells it from others: `example` of `registry.example.com`.
pub(super) fn short(registry: &Registry) -> String {
    let host = registry.host();
    let is_address = host.starts_with('[')
        || host
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let parts: Vec<&str> = host.split('.').collect();
    let tells = |part: &&&str| {
        !COMMON.contains(*part) && part.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    // The last part is that of a country or a trade.
    let inner = parts.split_last().map_or(&[][..], |(_, inner)| inner);
    match inner.iter().find(tells) {
        Some(part) if !is_address => label(part),
        _ => label(host),
    }
}

/// A name that Kubernetes takes.
pub(super) fn label(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut label = String::new();
    for character in lower.chars() {
        match character {
            'a'..='z' | '0'..='9' => label.push(character),
            _ if label.ends_with('-') || label.is_empty() => {}
            _ => label.push('-'),
        }
    }
    label.truncate(NAME_LENGTH - 4);
    match label.trim_end_matches('-') {
        "" => "mirror".to_owned(),
        label => label.to_owned(),
    }
}
