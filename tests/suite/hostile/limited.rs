// SPDX-License-Identifier: Apache-2.0

//! A program in as much memory as a container has.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::cluster::controller::Options;
use crate::support::process::Process;

/// Where cgroups are made, and the files with their limit and with the most that they ever had: version 2, and 1.
const CGROUPS: [(&str, &str, &str); 2] = [
    ("/sys/fs/cgroup", "memory.max", "memory.peak"),
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.max_usage_in_bytes",
    ),
];

/// A memory limit. The cgroup is removed with it.
pub(super) struct Limit {
    bytes: usize,
    cgroup: Option<Cgroup>,
    directory: TempDir,
}

struct Cgroup {
    path: PathBuf,
    peak: PathBuf,
}

impl Limit {
    /// A limit that the kernel keeps, where a cgroup can be made; else only the peak is known.
    pub(super) fn of(name: &str, bytes: usize) -> Self {
        let name = format!("transship-{name}-{:08x}", fastrand::u32(..));
        let cgroup = CGROUPS.into_iter().find_map(|(root, limit, peak)| {
            let path = Path::new(root).join(&name);
            let is_made = make(&path, limit, bytes);
            is_made.then(|| Cgroup {
                peak: path.join(peak),
                path,
            })
        });
        Self {
            bytes,
            cgroup,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A program within the limit. It is told of it where it cannot see it.
    pub(super) fn confine(&self, options: Options) -> Options {
        let Some(cgroup) = &self.cgroup else {
            return options.argument(&format!("--max-read-memory={}", self.bytes / 4));
        };
        let script = self.directory.path().join("confined");
        let program = env!("CARGO_BIN_EXE_transship");
        let text = format!(
            "#!/bin/sh\necho $$ > {}/cgroup.procs && exec {program} \"$@\"\n",
            cgroup.path.display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        options.program(&script)
    }

    /// The most that its program ever had, in bytes: all that is counted for it in the cgroup, or else what was resident.
    pub(super) fn peak_of(&self, process: Process) -> usize {
        if let Some(cgroup) = &self.cgroup
            && let Ok(peak) = fs::read_to_string(&cgroup.peak)
        {
            return peak.trim().parse().unwrap();
        }
        let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        kibibytes.unwrap().parse::<usize>().unwrap() << 10
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.bytes >> 20;
        match &self.cgroup {
            Some(_) => write!(f, "a cgroup held it to {limit} MiB"),
            None => write!(
                f,
                "DID NOT RUN: no cgroup can be made here, so that nothing held it to {limit} MiB but itself"
            ),
        }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        if let Some(cgroup) = &self.cgroup {
            // It goes once the program in it is gone, which is dropped after this.
            let script = format!(
                "for i in $(seq 100); do rmdir {} 2>/dev/null && exit; sleep 0.1; done",
                cgroup.path.display()
            );
            drop(
                std::process::Command::new("sh")
                    .args(["-c", &script])
                    .spawn(),
            );
        }
    }
}

fn make(path: &Path, limit: &str, bytes: usize) -> bool {
    if fs::create_dir(path).is_err() {
        return false;
    }
    // A directory that is no cgroup has no such file, and must not get one.
    let file = fs::OpenOptions::new().write(true).open(path.join(limit));
    let is_limited =
        file.is_ok_and(|mut file| file.write_all(bytes.to_string().as_bytes()).is_ok());
    if !is_limited {
        let _ = fs::remove_dir(path);
    }
    is_limited
}
