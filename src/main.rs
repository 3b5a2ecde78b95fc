// SPDX-License-Identifier: Apache-2.0

//! The `transship` program.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use transship::cli;

// musl's own allocator takes one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long work that cannot be dropped, such as a write to a file, may go on after the end.
const GRACE: Duration = Duration::from_secs(25);

fn main() -> io::Result<ExitCode> {
    // Refused only where another provider is installed, and nothing else in this program does that.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let exit = runtime.block_on(cli::run());
    runtime.shutdown_timeout(GRACE);
    Ok(exit.into())
}
