// SPDX-License-Identifier: Apache-2.0

//! What is promised, and whether it is kept.

use serde::Serialize;

/// One promise.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// What is measured, and where.
    pub what: String,
    /// The figure that was measured.
    pub figure: f64,
    /// The most it may be.
    pub limit: f64,
    /// Whether it is not more.
    pub kept: bool,
}

impl Verdict {
    /// Judges a figure.
    pub fn new(what: String, figure: f64, limit: f64) -> Self {
        Self {
            what,
            figure,
            limit,
            kept: figure <= limit,
        }
    }

    /// It as a person reads it.
    pub fn line(&self) -> String {
        let Self {
            what,
            figure,
            limit,
            kept,
        } = self;
        let word = if *kept { "PASS" } else { "MISS" };
        format!("{word}  {what}: {figure:.2} (at most {limit:.1})")
    }
}
