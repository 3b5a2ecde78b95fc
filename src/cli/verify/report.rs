//! What `transship verify` found.

use schemars::JsonSchema;
use serde::Serialize;

use super::image::Verified;
use crate::cli::output::Document;
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
