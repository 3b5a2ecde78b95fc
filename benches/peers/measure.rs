// SPDX-License-Identifier: Apache-2.0

//! Runs the programs of a tool and takes their time, processor time and memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tokio_util::task::AbortOnDropHandle;

use crate::shared::process::{ended_children_cpu_seconds, peak_rss_bytes};
use crate::support::program::Program;
use crate::support::runtime;
use crate::tool::PROCESSES;

/// How often memory is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Longer than anything that is still worth comparing.
const PATIENCE: Duration = Duration::from_secs(300);

/// Lines of a failed program's output that are shown.
const SAID: usize = 5;

/// What a tool needed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Usage {
    /// From the start of the first program to the end of the last.
    pub(crate) wall_seconds: f64,
    /// User and system time of all programs, in steps of 10 ms.
    pub(crate) cpu_seconds: f64,
    /// The peaks of the programs that ran at a time, summed.
    pub(crate) peak_rss_bytes: u64,
}

/// The memory of the programs that run.
#[derive(Default)]
struct Memory {
    /// The peak of each running program so far, in bytes.
    programs: Mutex<BTreeMap<u32, u64>>,
    /// The largest sum there was.
    peak: AtomicU64,
}

/// Runs the programs, [`PROCESSES`] at a time.
///
/// # Errors
/// What a program said that failed or did not end.
pub(crate) async fn measure(programs: Vec<Program>) -> Result<Usage, String> {
    let memory = Arc::new(Memory::default());
    let watching = AbortOnDropHandle::new(runtime().spawn(Arc::clone(&memory).watch()));
    // While tools run only they do: the registries, children too, are waited for in between.
    let cpu = ended_children_cpu_seconds();
    let start = Instant::now();
    stream::iter(programs)
        .map(|program| run(program, &memory))
        .buffer_unordered(PROCESSES)
        .try_collect::<()>()
        .await?;
    let wall_seconds = start.elapsed().as_secs_f64();
    drop(watching);
    Ok(Usage {
        wall_seconds,
        cpu_seconds: ended_children_cpu_seconds() - cpu,
        peak_rss_bytes: memory.peak.load(Ordering::Relaxed),
    })
}

async fn run(program: Program, memory: &Memory) -> Result<(), String> {
    let running = program.start();
    let pid = running.pid();
    memory.lock().insert(pid, 0);
    let finished = tokio::time::timeout(PATIENCE, running.finish()).await;
    memory.lock().remove(&pid);
    let finished = finished.map_err(|_| format!("not done after {} s", PATIENCE.as_secs()))?;
    match finished.code {
        Some(0) => Ok(()),
        code => Err(format!(
            "exit code {code:?}: {}{}",
            tail(&finished.stdout),
            tail(&finished.stderr)
        )),
    }
}

// === impl Memory ===

impl Memory {
    async fn watch(self: Arc<Self>) {
        loop {
            self.look();
            tokio::time::sleep(POLL).await;
        }
    }

    fn look(&self) {
        let mut programs = self.lock();
        for (pid, peak) in programs.iter_mut() {
            // A program that has just ended has no memory any more, but had it a moment ago.
            *peak = peak_rss_bytes(*pid).unwrap_or(*peak);
        }
        self.peak
            .fetch_max(programs.values().sum(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, u64>> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of what a program said.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(SAID)..].join("\n")
}
