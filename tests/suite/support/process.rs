// SPDX-License-Identifier: Apache-2.0

//! Child processes that never outlive the test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Reads a pipe that only the test holds: if the test vanishes without a word, so does the program.
/// The shell becomes the program, so that the process id we know is the program's own.
pub(super) const WATCHED: &str = r#"exec 3<&0; { read -r _ <&3 || kill -9 $$; } >/dev/null 2>&1 & exec "$0" "$@" 3<&- </dev/null"#;

/// Tells the watchdog to leave; without it, it would kill whatever has this process id next.
pub(super) const DISMISSED: &[u8] = b"\n";

/// Deletes a directory once nobody holds its standard input any more; a terminal's Ctrl-C is meant for the test.
const SWEEP: &str = r#"trap '' INT TERM HUP; read -r _; sleep 1; exec rm -rf "$0""#;

/// How long a program may take to say that it is ready.
const STARTUP: Duration = Duration::from_secs(60);

/// How often a program is looked after.
const POLL: Duration = Duration::from_millis(5);

/// A running server program. It is killed when dropped, and when the test process dies in any way.
pub struct Daemon {
    child: Child,
    lifeline: Option<ChildStdin>,
    output: [PathBuf; 2],
}

/// Deletes a directory when the test process is gone in any way: what is static is never dropped.
pub struct Sweeper {
    _lifeline: Child,
}

/// A running program, for signals from anywhere. Whoever owns the program must still hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Daemon {
    /// Starts a program with an empty environment and its output in files of `directory`.
    pub fn spawn(program: &Path, arguments: &[&str], directory: &Path) -> Self {
        Self::spawn_in(program, arguments, directory, &BTreeMap::new())
    }

    /// The same with more variables in its environment.
    pub fn spawn_in(
        program: &Path,
        arguments: &[&str],
        directory: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Self {
        let output = [directory.join("stdout"), directory.join("stderr")];
        let mut child = Command::new("sh")
            .args(["-c", WATCHED])
            .arg(program)
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("HOME", directory)
            .env("TMPDIR", directory)
            .env("OTEL_TRACES_EXPORTER", "none")
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(File::create(&output[0]).expect("a log file"))
            .stderr(File::create(&output[1]).expect("a log file"))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let lifeline = child.stdin.take();
        Self {
            child,
            lifeline,
            output,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The program, for signals.
    pub fn process(&self) -> Process {
        Process::with_id(self.pid())
    }

    /// The file with everything it wrote to its standard output.
    pub fn stdout(&self) -> &Path {
        &self.output[0]
    }

    /// The file with everything it wrote to its standard error.
    pub fn stderr(&self) -> &Path {
        &self.output[1]
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its own child").is_none()
    }

    /// Waits until a line of its output answers the question.
    ///
    /// # Panics
    /// If the program ends first or stays silent, with what it wrote.
    pub async fn wait_for<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + STARTUP;
        loop {
            let ended = self.child.try_wait().expect("its own child");
            let output = self.written();
            if let Some(found) = output.lines().find_map(&find) {
                return found;
            }
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the program did not start ({ended:?}):\n{output}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Everything it wrote so far.
    pub fn written(&self) -> String {
        self.output
            .iter()
            .filter_map(|file| fs::read(file).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }

    /// Lets go of the program as a test process does that is killed.
    pub fn cut_lifeline(&mut self) {
        self.lifeline = None;
    }

    /// Waits until the program has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().expect("its own child") {
                return status;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Kills the program and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            drop(lifeline.write_all(DISMISSED));
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Process {
    /// The process with an id.
    pub(super) fn with_id(id: u32) -> Self {
        Self(id)
    }

    /// The process id.
    pub fn id(self) -> u32 {
        self.0
    }

    /// Sends a signal, named without `SIG`.
    ///
    /// # Panics
    /// If there is no such process.
    pub fn signal(self, name: &str) {
        assert!(self.send(name), "no process {} for SIG{name}", self.0);
    }

    /// Sends SIGKILL, unless the program has ended by itself, and waits until it does nothing any more,
    /// whoever its parent is.
    pub async fn kill(self) {
        self.send("KILL");
        while self.is_alive() {
            tokio::time::sleep(POLL).await;
        }
    }

    fn send(self, name: &str) -> bool {
        let command = format!("kill -s {name} {}", self.0);
        Command::new("sh")
            .args(["-c", &command])
            .stderr(Stdio::null())
            .status()
            .expect("a shell")
            .success()
    }

    /// Sends SIGSTOP and waits until the program stands still.
    pub async fn halt(self) {
        self.signal("STOP");
        while !self.is_halted() {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether it stands still until it is told to go on.
    pub fn is_halted(self) -> bool {
        self.state() == Some('T')
    }

    /// Whether it still does anything: one that has ended and waits for its parent does not.
    pub fn is_alive(self) -> bool {
        !matches!(self.state(), None | Some('Z' | 'X'))
    }

    fn state(self) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        // The state follows the name in parentheses, which may contain anything.
        stat.rsplit_once(") ")?.1.chars().next()
    }
}

impl Sweeper {
    /// Takes a directory into its care.
    pub fn of(directory: &Path) -> Self {
        Self::with(SWEEP, directory)
    }

    /// The same with more to do: the script has to wait until its standard input ends.
    pub(super) fn with(script: &str, directory: &Path) -> Self {
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self { _lifeline: child }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
