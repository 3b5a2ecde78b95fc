// SPDX-License-Identifier: Apache-2.0

//! File operations off the async threads.

use std::panic::resume_unwind;

use super::Error;

/// Runs file operations where they may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(job).await {
        Ok(result) => result,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(Error::Stopped),
        },
    }
}
