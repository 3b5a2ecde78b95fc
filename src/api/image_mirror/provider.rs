// SPDX-License-Identifier: Apache-2.0

//! Whose credentials a registry gets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose credentials a registry gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Provider {
    /// Those of a Secret, or none.
    #[default]
    Generic,
    /// Those of an identity of AWS: Amazon ECR, private and public.
    #[serde(rename = "AWS")]
    Aws,
    /// Those of an identity of Google Cloud: Artifact Registry and gcr.io.
    #[serde(rename = "GCP")]
    Gcp,
    /// Those of an identity of Azure: Azure Container Registry.
    Azure,
    /// Those of a robot that a ServiceAccount stands for: Quay.
    Quay,
}

// === impl Provider ===

impl Provider {
    /// The name in specs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "Generic",
            Self::Aws => "AWS",
            Self::Gcp => "GCP",
            Self::Azure => "Azure",
            Self::Quay => "Quay",
        }
    }
}
