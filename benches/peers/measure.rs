//! Runs the programs of a tool and takes their time, processor time and memory.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tokio_util::task::AbortOnDropHandle;

use crate::support::program::Program;
use crate::support::runtime;
use crate::tool::PROCESSES;

/// How often memory is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Longer than anything that is still worth comparing.
const PATIENCE: Duration = Duration::from_secs(300);

/// The unit of processor time under `/proc`: on Linux 1/100 s wherever Rust's standard library runs.
const TICKS_PER_SECOND: f64 = 100.0;

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
    let cpu = children_cpu_seconds();
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
        cpu_seconds: children_cpu_seconds() - cpu,
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

/// The kernel's own record of the most memory that a process had.
fn peak_rss_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The processor time of every child that has ended and was waited for.
///
/// While tools run only they do: the registries, children too, are waited for in between.
fn children_cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may contain spaces; the third field comes after it.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(16 - 3).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// The end of what a program said.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(SAID)..].join("\n")
}
