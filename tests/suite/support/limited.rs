// SPDX-License-Identifier: Apache-2.0

//! A program with as much of something as a container has.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::cluster::controller::Options;
use super::process::Process;

/// The program is told of its memory where no cgroup holds it: a quarter of it is for what it reads.
const SHARE_OF_READS: usize = 4;

/// What is limited.
#[derive(Clone, Copy, Debug)]
pub enum Resource {
    /// Memory, in bytes.
    Memory(usize),
    /// Thousandths of a core.
    MilliCores(usize),
}

/// A limit that the kernel keeps where a cgroup can be made. The cgroup is removed with it.
pub struct Limit {
    resource: Resource,
    cgroup: Option<PathBuf>,
    directory: TempDir,
}

// === impl Resource ===

impl Resource {
    /// Where cgroups are made, the file with the limit, and what stands in it: version 2, and 1.
    fn places(self) -> [(&'static str, &'static str, String); 2] {
        match self {
            Self::Memory(bytes) => [
                ("/sys/fs/cgroup", "memory.max", bytes.to_string()),
                (
                    "/sys/fs/cgroup/memory",
                    "memory.limit_in_bytes",
                    bytes.to_string(),
                ),
            ],
            // Of a period of 100,000 µs, which is what both have if nobody says another.
            Self::MilliCores(thousandths) => [
                (
                    "/sys/fs/cgroup",
                    "cpu.max",
                    format!("{} 100000", thousandths * 100),
                ),
                (
                    "/sys/fs/cgroup/cpu",
                    "cpu.cfs_quota_us",
                    (thousandths * 100).to_string(),
                ),
            ],
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(f, "{} MiB", bytes >> 20),
            Self::MilliCores(thousandths) => write!(f, "{thousandths}m of a core"),
        }
    }
}

// === impl Limit ===

impl Limit {
    /// A limit in a cgroup whose name begins as given.
    pub fn of(name: &str, resource: Resource) -> Self {
        let name = format!("transship-{name}-{:08x}", fastrand::u32(..));
        let places = resource.places().into_iter();
        let mut made = places.filter_map(|(root, file, limit)| {
            let path = Path::new(root).join(&name);
            make(&path, file, &limit).then_some(path)
        });
        Self {
            resource,
            cgroup: made.next(),
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    /// Whether the kernel keeps it.
    pub fn is_kept(&self) -> bool {
        self.cgroup.is_some()
    }

    /// A program within the limit. It is told of a limit of memory that it cannot see.
    pub fn confine(&self, options: Options) -> Options {
        let Some(cgroup) = &self.cgroup else {
            return match self.resource {
                Resource::Memory(bytes) => {
                    options.argument(&format!("--max-read-memory={}", bytes / SHARE_OF_READS))
                }
                Resource::MilliCores(_) => options,
            };
        };
        let script = self.directory.path().join("confined");
        let program = env!("CARGO_BIN_EXE_transship");
        let text = format!(
            "#!/bin/sh\necho $$ > {}/cgroup.procs && exec {program} \"$@\"\n",
            cgroup.display()
        );
        fs::write(&script, text).expect("a script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("its mode");
        options.program(&script)
    }

    /// The most memory that its program ever had, in bytes: all that is counted for it in the cgroup, or else what was
    /// resident.
    pub fn peak_of(&self, process: Process) -> usize {
        let counted = self.cgroup.iter().flat_map(|path| {
            ["memory.peak", "memory.max_usage_in_bytes"].map(|file| path.join(file))
        });
        let peak = counted
            .into_iter()
            .find_map(|file| fs::read_to_string(file).ok());
        if let Some(peak) = peak {
            return peak.trim().parse().expect("a number of bytes");
        }
        let status = fs::read_to_string(format!("/proc/{}/status", process.id()));
        let status = status.expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        let kibibytes = kibibytes.expect("the most that was resident");
        kibibytes.parse::<usize>().expect("a number") << 10
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.resource;
        if self.is_kept() {
            write!(f, "a cgroup held it to {limit}")
        } else {
            write!(
                f,
                "DID NOT RUN: no cgroup can be made here, so that nothing held it to {limit} but itself"
            )
        }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        if let Some(cgroup) = &self.cgroup {
            // It goes once the program in it is gone, which is dropped after this.
            let script = format!(
                "for i in $(seq 100); do rmdir {} 2>/dev/null && exit; sleep 0.1; done",
                cgroup.display()
            );
            drop(
                std::process::Command::new("sh")
                    .args(["-c", &script])
                    .spawn(),
            );
        }
    }
}

fn make(path: &Path, file: &str, limit: &str) -> bool {
    if fs::create_dir(path).is_err() {
        return false;
    }
    // A directory that is no cgroup has no such file, and must not get one.
    let file = fs::OpenOptions::new().write(true).open(path.join(file));
    let is_limited = file.is_ok_and(|mut file| file.write_all(limit.as_bytes()).is_ok());
    if !is_limited {
        let _ = fs::remove_dir(path);
    }
    is_limited
}
