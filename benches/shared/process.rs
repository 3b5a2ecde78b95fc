// SPDX-License-Identifier: Apache-2.0

//! What the kernel knows of a running process.

use std::fs;

/// The unit of processor time under `/proc`: on Linux 1/100 s wherever Rust's standard library runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// The number of the first field after the name in `stat`.
const FIRST_FIELD: usize = 3;

/// The memory that a process has now, in bytes.
pub fn rss_bytes(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmRSS:")
}

/// The most memory that a process had so far, in bytes.
pub fn peak_rss_bytes(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmHWM:")
}

/// Takes the memory that a process has now for the most so far.
pub fn forget_peak_rss(pid: u32) {
    // 5: see proc_pid_clear_refs(5). Where it is not allowed, the peak is that of the whole process.
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// User and system time of a process, in steps of 10 ms.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    Some(two_fields(&pid.to_string(), 14))
}

/// The processor time of every child of this process that has ended and was waited for.
pub fn ended_children_cpu_seconds() -> f64 {
    two_fields("self", 16)
}

fn status_bytes(pid: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The sum of two neighbouring times in `stat`.
fn two_fields(process: &str, first: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name of the program, in parentheses, may contain spaces; the third field comes after it.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(first - FIRST_FIELD).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}
