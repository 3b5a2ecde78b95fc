//! Where text leaves the program: results on stdout, everything else on stderr, around the progress bar.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use serde::Serialize;
use tracing_subscriber::fmt::MakeWriter;

use super::args::Format;
use super::error::Error;

/// The two streams of the program. Cheap to clone.
#[derive(Clone)]
pub(super) struct Output {
    /// Keeps lines and the bar apart.
    bars: MultiProgress,
    quiet: bool,
}

/// One log line, written as a whole when it is dropped.
pub(super) struct LogLine<'a> {
    output: &'a Output,
    line: Vec<u8>,
}

// === impl Output ===

impl Output {
    /// The streams of this process.
    pub(super) fn new(quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            // Nothing is drawn where stderr is no terminal.
            ProgressDrawTarget::stderr()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            quiet,
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
    pub(super) fn print_value<T: Serialize>(
        &self,
        format: Format,
        value: &T,
        render: impl FnOnce(&T) -> String,
    ) -> Result<(), Error> {
        let text = match format {
            Format::Table => render(value),
            Format::Json => {
                let json = serde_json::to_string_pretty(value).map_err(io::Error::other);
                json.map_err(Error::Output)? + "\n"
            }
            Format::Yaml => yaml(value)?,
        };
        self.print(text)
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
