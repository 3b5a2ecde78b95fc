// SPDX-License-Identifier: Apache-2.0

//! Numbers as figures.

/// A number for a ratio or a table.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn float(number: usize) -> f64 {
    number as f64
}

/// Bytes in MiB.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Bytes in MB, as blobs are counted.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
