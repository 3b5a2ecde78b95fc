// SPDX-License-Identifier: Apache-2.0

//! How much memory there is, and how it is shared out.

use std::path::Path;
use std::sync::LazyLock;

/// Where the memory limits of cgroups are: version 2, and 1. A process in a container finds its own at the root, another
/// one below its path.
const LIMITS: [(&str, &str); 2] = [
    ("/sys/fs/cgroup", "memory.max"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
];
/// Which cgroups the process is in.
const OWN: &str = "/proc/self/cgroup";
/// One in so many bytes of a container's limit is for what is read from peers. The rest is for what stands at rest, for
/// blobs on their way, and for what is remembered.
const PART: usize = 4;
/// Where nothing limits the process, in bytes.
const UNLIMITED: usize = 512 * MIB;
/// The least that one mirror can be read with, in bytes.
const LEAST: usize = 32 * MIB;
const MIB: usize = 1024 * 1024;

/// How memory is shared out, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of each account.
    pub own: usize,
    /// Of all together, beyond what is their own.
    pub common: usize,
    /// The most that one work holds. As much is in reserve.
    pub share: usize,
}

impl Bounds {
    /// Shares out `total` bytes among so many accounts at a time: a quarter is their own, and half of the rest is in
    /// reserve.
    pub fn of(total: usize, accounts: usize) -> Self {
        let own = total / 4 / accounts.max(1);
        let rest = total - total / 4;
        Self {
            own,
            common: rest - rest / 2,
            share: rest / 2,
        }
    }

    /// The bytes to share out: as many as somebody says, or what the limit of the container gives.
    pub fn total(said: Option<usize>) -> usize {
        said.unwrap_or_else(|| Self::total_within(container_limit()))
    }

    /// The bytes to share out in a process with this limit.
    fn total_within(limit: Option<usize>) -> usize {
        limit.map_or(UNLIMITED, |limit| (limit / PART).max(LEAST))
    }
}

/// The memory limit of the container that the process runs in, in bytes, as it was when it was first asked for: what is
/// shared out is not shared out again.
fn container_limit() -> Option<usize> {
    static LIMIT: LazyLock<Option<usize>> = LazyLock::new(read_container_limit);
    *LIMIT
}

fn read_container_limit() -> Option<usize> {
    let own = std::fs::read_to_string(OWN).unwrap_or_default();
    let paths = own.lines().filter_map(path_of).chain([""]);
    let files = paths.flat_map(|path| {
        let files = LIMITS.iter();
        files.map(move |(root, file)| Path::new(root).join(path).join(file))
    });
    let texts = files.filter_map(|file| std::fs::read_to_string(file).ok());
    texts.filter_map(|text| read_limit(&text)).min()
}

/// The path of a cgroup that limits memory: `0::/a` or `4:memory:/a`.
fn path_of(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let limits_memory = controllers
        .split(',')
        .any(|name| matches!(name, "" | "memory"));
    limits_memory.then(|| path.trim_start_matches('/'))
}

/// `max`, and in version 1 a number larger than any memory, stand for no limit.
fn read_limit(text: &str) -> Option<usize> {
    const NO_LIMIT: usize = 1 << 50;
    let limit = text.trim().parse().ok()?;
    (limit < NO_LIMIT).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_together_are_the_whole() {
        for (total, accounts) in [(128 * MIB, 32), (32 * MIB, 1), (512 * MIB, 1_000)] {
            let Bounds { own, common, share } = Bounds::of(total, accounts);
            let sum = own * accounts + common + share;
            assert!(sum <= total && total - sum < accounts, "{total} {accounts}");
        }
        assert_eq!(Bounds::of(1_000, 0), Bounds::of(1_000, 1));
    }

    #[test]
    fn a_limit_decides_how_much_there_is() {
        let cases = [
            (Some(512 * MIB), 128 * MIB),
            (Some(16 * MIB), LEAST),
            (None, UNLIMITED),
        ];
        for (limit, total) in cases {
            assert_eq!(Bounds::total_within(limit), total, "{limit:?}");
        }
        let cases = [
            ("0::/", Some("")),
            ("0::/kubepods/pod1", Some("kubepods/pod1")),
            ("4:memory:/a", Some("a")),
            ("4:cpu,memory:/a:b", Some("a:b")),
            ("3:cpuset:/a", None),
            ("", None),
        ];
        for (line, path) in cases {
            assert_eq!(path_of(line), path, "{line:?}");
        }
        let cases = [
            ("536870912\n", Some(512 * MIB)),
            ("max\n", None),
            ("9223372036854771712\n", None),
            ("", None),
            ("-1", None),
        ];
        for (text, limit) in cases {
            assert_eq!(read_limit(text), limit, "{text:?}");
        }
    }
}
