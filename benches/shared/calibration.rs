// SPDX-License-Identifier: Apache-2.0

//! What the machine can do in this minute: shared machines drift, and hashing is most of a client's work.

use std::hint::black_box;
use std::time::Instant;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Hashed at a time: fits the cache, as the buffers of a copy do.
const CHUNK: usize = 64 * 1024;

/// Enough for some 20 ms.
const CHUNKS: usize = 512;

/// The machine, as far as it explains the figures.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Calibration {
    /// Cores this process may use.
    pub cores: usize,
    /// One core's SHA-256, in 10^9 bytes per second.
    pub sha256_gigabytes_per_second: f64,
    /// Processes that wanted a core during the last minute, before anything was measured.
    pub load: f64,
}

impl Calibration {
    /// Measures it.
    pub fn take() -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            sha256_gigabytes_per_second: sha256_rate(),
            load: load().unwrap_or(f64::NAN),
        }
    }
}

fn sha256_rate() -> f64 {
    let chunk = vec![0x5a_u8; CHUNK];
    let start = Instant::now();
    let mut hasher = Sha256::new();
    for _ in 0..CHUNKS {
        hasher.update(black_box(&chunk));
    }
    black_box(hasher.finalize());
    super::units::float(CHUNK * CHUNKS) / start.elapsed().as_secs_f64() / 1e9
}

fn load() -> Option<f64> {
    let averages = std::fs::read_to_string("/proc/loadavg").ok()?;
    averages.split(' ').next()?.parse().ok()
}
