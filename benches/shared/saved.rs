// SPDX-License-Identifier: Apache-2.0

//! Where the figures are kept for later.

use std::io::Result;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Writes `target/bench/NAME.json`, and says where that is.
pub fn save(name: &str, report: &impl Serialize) -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = target.parent().unwrap_or(target).join("bench");
    std::fs::create_dir_all(&directory)?;
    let file = directory.join(format!("{name}.json"));
    std::fs::write(&file, serde_json::to_vec_pretty(report)?)?;
    Ok(file)
}
