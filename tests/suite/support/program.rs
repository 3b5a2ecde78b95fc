// SPDX-License-Identifier: Apache-2.0

//! Runs programs as a person would: arguments in, output and exit code out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::process::{DISMISSED, Process, WATCHED};
use super::runtime;

/// A program about to be run, with an environment of its own: only `PATH`, and a `HOME` that is empty.
#[must_use]
pub struct Program {
    executable: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    input: Option<Vec<u8>>,
    directory: Option<PathBuf>,
}

/// A running program. It is killed when dropped.
pub struct Running {
    task: JoinHandle<Finished>,
    killer: Killer,
    pid: u32,
}

/// Kills a running program from anywhere.
#[derive(Clone)]
pub struct Killer {
    order: Arc<Notify>,
    gone: watch::Receiver<bool>,
}

/// What a program left behind.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; `None` if it was killed.
    pub code: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Program {
    /// The program under test.
    pub fn transship(arguments: &[&str]) -> Self {
        Self::at(Path::new(env!("CARGO_BIN_EXE_transship")), arguments)
    }

    /// Any other program.
    pub fn at(executable: &Path, arguments: &[&str]) -> Self {
        Self {
            executable: executable.to_path_buf(),
            arguments: arguments.iter().map(OsString::from).collect(),
            environment: BTreeMap::new(),
            input: None,
            directory: None,
        }
    }

    /// One more argument, which may be a path.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// An environment variable.
    pub fn environment(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// What it reads from its standard input.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// The directory it is run in.
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_path_buf());
        self
    }

    /// Runs it to its end.
    pub async fn run(self) -> Finished {
        self.start().finish().await
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let _runtime = runtime().enter();
        let home = TempDir::new().expect("a directory");
        // Whoever reads an input ends with it; whoever does not is watched through the free pipe.
        let mut command = if self.input.is_some() {
            Command::new(&self.executable)
        } else {
            let mut watched = Command::new("sh");
            watched.args(["-c", WATCHED]).arg(&self.executable);
            watched
        };
        command
            .args(&self.arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", home.path())
            .envs(&self.environment)
            .current_dir(self.directory.as_deref().unwrap_or(home.path()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.executable.display()));
        let pid = child.id().expect("a running child");
        let (said, gone) = watch::channel(false);
        let killer = Killer {
            order: Arc::default(),
            gone,
        };
        let task = tokio::spawn(attend(
            child,
            self.input,
            Arc::clone(&killer.order),
            said,
            home,
        ));
        Running { task, killer, pid }
    }
}

impl Running {
    /// Waits for its end.
    pub async fn finish(mut self) -> Finished {
        (&mut self.task)
            .await
            .expect("a program that can be waited for")
    }

    /// What kills it.
    pub fn killer(&self) -> Killer {
        self.killer.clone()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The program, for signals.
    pub fn process(&self) -> Process {
        Process::with_id(self.pid)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Killer {
    /// Sends SIGKILL and waits until the program is gone.
    pub async fn kill(&mut self) {
        self.order.notify_one();
        // An error means that nobody attends to the program any more: it is gone too.
        drop(self.gone.wait_for(|gone| *gone).await);
    }
}

impl Finished {
    /// Goes on only if the program succeeded.
    ///
    /// # Panics
    /// If it did not, with everything it said.
    pub fn assert_success(&self) {
        assert_eq!(
            self.code,
            Some(0),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
    }
}

async fn attend(
    mut child: Child,
    input: Option<Vec<u8>>,
    order: Arc<Notify>,
    gone: watch::Sender<bool>,
    home: TempDir,
) -> Finished {
    let (input, lifeline) = match (child.stdin.take(), input) {
        (Some(stdin), Some(input)) => (Some((stdin, input)), None),
        (lifeline, _) => (None, lifeline),
    };
    let (stdout, stderr) = (
        child.stdout.take().expect("a pipe"),
        child.stderr.take().expect("a pipe"),
    );
    let feed = async move {
        if let Some((mut stdin, input)) = input {
            // A program may end before it has read everything.
            drop(stdin.write_all(&input).await);
        }
    };
    let wait = async {
        let status = wait(&mut child, &order).await;
        if let Some(mut lifeline) = lifeline {
            drop(lifeline.write_all(DISMISSED).await);
        }
        gone.send_replace(true);
        status
    };
    let ((), status, stdout, stderr) = tokio::join!(feed, wait, read(stdout), read(stderr));
    drop(home);
    Finished {
        code: status.code(),
        stdout,
        stderr,
    }
}

async fn wait(child: &mut Child, order: &Notify) -> ExitStatus {
    tokio::select! {
        status = child.wait() => return status.expect("its own child"),
        () = order.notified() => {}
    }
    child.kill().await.expect("its own child");
    child.wait().await.expect("its own child")
}

async fn read(mut pipe: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    // What a killed program had not written yet is no error.
    drop(tokio::io::AsyncReadExt::read_to_end(&mut pipe, &mut bytes).await);
    String::from_utf8_lossy(&bytes).into_owned()
}
