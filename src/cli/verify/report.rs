// SPDX-License-Identifier: Apache-2.0

//! What was found, for people and machines.

use schemars::JsonSchema;
use serde::Serialize;

use super::image::Verified;
use crate::cli::output::Document;
use crate::cli::units;
use crate::plan::report::Failure;

/// What machines read.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(in crate::cli) struct VerifyReport {
    pub(super) images: Vec<Verified>,
    /// Tags at the destinations of mirrors that none of these mirrors wants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extra: Vec<String>,
    pub(super) failures: Vec<Failure>,
    /// How many tags there should be at the destinations of mirrors.
    #[serde(skip)]
    pub(super) wanted: usize,
}

impl Document for VerifyReport {
    const KIND: &'static str = "VerifyReport";
}

/// Whether an image is complete.
pub(super) fn line(verified: &Verified) -> String {
    let Verified {
        reference,
        digest,
        complete,
        deep,
        manifests,
        blobs,
        size,
    } = verified;
    let word = match (digest, complete, deep) {
        (None, ..) => return format!("{reference} cannot be looked at\n"),
        (_, false, _) => "is not complete",
        (_, true, true) => "is complete, every byte was read",
        (_, true, false) => "is complete",
    };
    format!(
        "{reference} {word}: {}, {}, {}\n",
        units::count(*manifests, "manifest", "manifests"),
        units::count(*blobs, "blob", "blobs"),
        units::bytes(*size)
    )
}

/// Of many images those that are not as they should be, and how many are.
pub(super) fn summary(report: &VerifyReport) -> String {
    let VerifyReport {
        images,
        extra,
        failures: _,
        wanted,
    } = report;
    let incomplete = images.iter().filter(|image| !image.complete);
    let mut lines: Vec<String> = incomplete.map(line).collect();
    let extra_lines = extra.iter();
    lines.extend(extra_lines.map(|tag| format!("{tag} is wanted by none of these mirrors\n")));
    let complete = images.iter().filter(|image| image.complete).count();
    let size: u64 = images.iter().map(|image| image.size).sum();
    lines.push(format!(
        "{complete} of {wanted} tags that are wanted are there and complete ({}), {} others are there\n",
        units::bytes(size),
        extra.len()
    ));
    lines.concat()
}
