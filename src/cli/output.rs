// SPDX-License-Identifier: Apache-2.0

//! Where text leaves the program: results on stdout, everything else on stderr, around the progress bar.

use std::io::{self, BufRead as _, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use serde::Serialize;
use tracing_subscriber::fmt::MakeWriter;

use super::args::Format;
use super::error::Error;
use super::exit::Exit;
use super::look::Look;
use super::summary;
use super::table::one_line;
use crate::plan::report::Failure;

/// The two streams of the program. Cheap to clone.
#[derive(Clone)]
pub(super) struct Output {
    /// Keeps lines and the bar apart.
    bars: MultiProgress,
    quiet: bool,
    is_logging: bool,
}

/// One log line, written as a whole when it is dropped.
pub(super) struct LogLine<'a> {
    output: &'a Output,
    line: Vec<u8>,
}

/// The version of what machines read. Fields are added within a version, and never change their meaning.
pub(super) const API_VERSION: &str = "cli.transship.dev/v1";

/// What machines read, and its kind.
pub(super) trait Document: Serialize {
    /// The kind, which says which fields there are.
    const KIND: &'static str;
}

/// A document with what every one begins with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versioned<'a, T> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    document: &'a T,
}

/// What is read in place of a document that could not be had.
#[derive(Serialize)]
struct Failures<'a> {
    failures: [&'a Failure; 1],
}

// === impl Output ===

impl Output {
    /// The streams of this process. Where it is logging, what happens is told by log lines and nothing else.
    pub(super) fn new(quiet: bool, is_logging: bool) -> Self {
        let target = if quiet || is_logging {
            ProgressDrawTarget::hidden()
        } else {
            // Nothing is drawn where stderr is no terminal.
            ProgressDrawTarget::stderr()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            quiet,
            is_logging,
        }
    }

    /// Whether what happens is told by log lines.
    pub(super) fn is_logging(&self) -> bool {
        self.is_logging
    }

    /// How a result looks to whoever reads stdout: as wide as `COLUMNS` says, else as the terminal is.
    pub(super) fn look(format: Format) -> Look {
        if format == Format::Wide {
            return Look::everything();
        }
        // Shells and people say so for every program: no flag of ours.
        let said = std::env::var_os("COLUMNS");
        let said = said.and_then(|text| text.to_str()?.parse().ok());
        let terminal = || terminal_size::terminal_size_of(io::stdout());
        Look {
            is_wide: false,
            width: said.or_else(|| terminal().map(|(width, _)| usize::from(width.0))),
        }
    }

    /// Tells why a command stops, and what to do about it.
    pub(super) fn give_up(&self, error: &Error) {
        let (text, hint) = (error.to_string(), error.hint());
        if self.is_logging {
            tracing::error!(error = text, hint, "stopped");
            return;
        }
        for line in text.lines() {
            self.note(&format!("error: {}", one_line(line)));
        }
        if let Some(hint) = hint {
            self.note(&format!("hint: {hint}"));
        }
    }

    /// Tells everything that failed, and says how the program ends.
    pub(super) fn fail_all(&self, failures: &[Failure]) -> Exit {
        for failure in failures {
            self.fail(failure);
        }
        if failures.is_empty() {
            Exit::Success
        } else {
            Exit::Failure
        }
    }

    /// Tells what failed, whatever else is wanted: on a line of its own.
    pub(super) fn fail(&self, failure: &Failure) {
        let Failure {
            subject,
            reason,
            message,
            ..
        } = failure;
        if self.is_logging {
            tracing::error!(subject, %reason, error = message, "failed");
        } else {
            self.note(summary::failure_line(failure).trim_end());
        }
    }

    /// Whether only results, failures and the summary are wanted.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a person watches.
    pub(super) fn is_terminal() -> bool {
        io::stderr().is_terminal()
    }

    /// Shows a bar below all lines.
    pub(super) fn show(&self, bar: ProgressBar) -> ProgressBar {
        self.bars.add(bar)
    }

    /// Prints a result on stdout. A reader that has enough, as `head` has, is no error.
    pub(super) fn print(&self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        let written = self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_ref())?;
            stdout.flush()
        });
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(Error::Output),
        }
    }

    /// Prints a value for machines, or what `render` makes of it for people.
    pub(super) fn print_value<T: Document>(
        &self,
        format: Format,
        value: &T,
        render: impl FnOnce(&T, Look) -> String,
    ) -> Result<(), Error> {
        match format {
            Format::Table | Format::Wide => self.print(render(value, Self::look(format))),
            Format::Json | Format::Yaml => self.print_document(format, T::KIND, value),
        }
    }

    /// Tells programs why a command has nothing else to say.
    pub(super) fn print_failure(
        &self,
        format: Format,
        kind: &'static str,
        failure: &Failure,
    ) -> Result<(), Error> {
        let failures = [failure];
        self.print_document(format, kind, &Failures { failures })
    }

    fn print_document<T: Serialize>(
        &self,
        format: Format,
        kind: &'static str,
        document: &T,
    ) -> Result<(), Error> {
        let versioned = Versioned {
            api_version: API_VERSION,
            kind,
            document,
        };
        let text = match format {
            Format::Yaml => yaml(&versioned)?,
            Format::Table | Format::Wide | Format::Json => {
                let json = serde_json::to_string_pretty(&versioned).map_err(io::Error::other);
                json.map_err(Error::Output)? + "\n"
            }
        };
        self.print(text)
    }

    /// Asks a person, who has to say yes.
    pub(super) fn confirm(&self, question: &str) -> bool {
        self.note(&format!("{question} [y/N]"));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// Prints a line on stderr, above the bar. Nothing can be done where that fails.
    pub(super) fn note(&self, line: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }
}

/// The value as a YAML document.
pub(super) fn yaml<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_saphyr::to_string(value).map_err(|error| Error::Output(io::Error::other(error)))
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LogLine {
            output: self,
            line: Vec::new(),
        }
    }
}

// === impl LogLine ===

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        let Self { output, line } = self;
        output.bars.suspend(|| {
            let _ = io::stderr().write_all(line);
        });
    }
}
