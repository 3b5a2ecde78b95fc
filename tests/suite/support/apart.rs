// SPDX-License-Identifier: Apache-2.0

//! A test in process ids, a network and mounts of its own, for what would change the machine: it runs a second time in
//! there. When that process ends in any way, the kernel ends all that it started, and its network and mounts with it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::process::Sweeper;
use super::program::Program;
use super::tools;

/// The variable that says that this is the second time, and which directory it has.
const INSIDE: &str = "TRANSSHIP_TEST_APART";

const NAMESPACES: [&str; 6] = [
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];

/// What programs would leave on this machine goes into memory that is not there afterwards; two directories that are
/// empty are all that stays. The shell is there as long as the test: the first process of all has to bury the others.
const ENTER: &str = r#"set -e
mkdir -p /var/lib/kubelet /var/lib/cni
for place in /run /var/log /var/lib/kubelet /var/lib/cni; do mount -t tmpfs tmpfs "$place"; done
ip link set lo up
"$0" "$@"
exit $?"#;

/// The cgroups of containers that were still there, by the names that containerd has of them, once the kernel has ended
/// these; and then the directory.
const SWEEP: &str = r#"trap '' INT TERM HUP; read -r _
for look in $(seq 60); do
  sleep 1; left=
  for task in "$0"/*/state/io.containerd.runtime.v2.task/k8s.io/*; do
    [ -d "$task" ] || continue
    find /sys/fs/cgroup -depth -type d -path "*/k8s.io/${task##*/}*" -exec rmdir {} \; 2>/dev/null
    left=$left$(find /sys/fs/cgroup -type d -path "*/k8s.io/${task##*/}")
  done
  [ -n "$left" ] || break
done
find /sys/fs/cgroup -depth -type d -name k8s.io -exec rmdir {} \; 2>/dev/null
exec rm -rf "$0""#;

/// Where a test is that has been let in.
pub struct Apart {
    directory: PathBuf,
}

impl Apart {
    /// Where a test has a place of its own. Outside there is none: then it has run in there, and was successful, or it
    /// says that it did not run. `needed` tells of what is missing.
    ///
    /// # Panics
    /// If it failed in there.
    pub async fn enter(test: &str, needed: impl FnOnce() -> Option<String>) -> Option<Self> {
        if let Some(directory) = std::env::var_os(INSIDE) {
            return Some(Self {
                directory: directory.into(),
            });
        }
        if let Some(missing) = needed() {
            tools::say_not_run(test, &format!("{missing} is missing: run `make tools`"));
            return None;
        }
        let unshare = Path::new("unshare");
        let tried = Program::at(unshare, &NAMESPACES).argument("true");
        if tried.run().await.code != Some(0) {
            tools::say_not_run(test, "only root may make namespaces, and only of Linux");
            return None;
        }
        // Only the sweeper removes it: it has to read it first.
        let directory = TempDir::new().expect("a directory").keep();
        let sweeper = Sweeper::with(SWEEP, &directory);
        let mut again = Program::at(unshare, &NAMESPACES);
        for argument in ["sh", "-c", ENTER] {
            again = again.argument(argument);
        }
        again = again
            .argument(std::env::current_exe().expect("this program"))
            .argument("--exact")
            .argument(test)
            .argument("--nocapture")
            .environment("TRANSSHIP_TOOLS", tools::cache())
            .environment("TMPDIR", &directory)
            .environment(INSIDE, &directory);
        let finished = again.run().await;
        drop(sweeper);
        finished.assert_success();
        // A name that is no test's would be a success, too.
        let said = &finished.stdout;
        assert!(said.contains("1 passed"), "{test} is not there: {said}");
        None
    }

    /// A directory that goes with it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}
