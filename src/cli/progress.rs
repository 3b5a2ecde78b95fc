// SPDX-License-Identifier: Apache-2.0

//! Shows what a round is doing while it does it: a person sees a bar, a file gets lines.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;
use super::table::one_line;
use super::units;
use crate::copy::progress::{self, Event};
use crate::plan::report::{Outcome, TagReport};
use crate::sync;

/// The bar: how far in bytes, with the [`Status`] behind it.
const TEMPLATE: &str = "{bar:30} {msg}";
/// How often the bar moves without an event, so that the rate is right.
const TICK: Duration = Duration::from_millis(200);

/// Shows what a round is doing: as a bar where a person watches, else as lines.
pub(super) struct Progress {
    output: Output,
    style: Style,
    stage: Stage,
    started: Instant,
    planned: AtomicUsize,
    finished: AtomicUsize,
    /// Bytes that destinations need.
    expected: AtomicU64,
    /// Of them, those that needed no transfer.
    skipped: AtomicU64,
    /// Of them, those that destinations confirmed.
    uploaded: AtomicU64,
    downloaded: AtomicU64,
}

/// Where images go.
#[derive(Clone, Copy)]
enum Stage {
    /// To their destinations.
    Copying,
    /// Into a file, from which they are brought to their destinations some other time.
    Fetching,
}

/// How progress is shown.
enum Style {
    /// A bar below one line for each finished tag. It appears with the first thing to do.
    Bar(OnceLock<ProgressBar>),
    /// One line for each finished tag.
    Lines,
    /// One log line for each finished tag.
    Log,
    /// Not at all.
    Nothing,
}

// === impl Progress ===

impl Progress {
    /// Progress in the way that suits whoever reads stderr.
    pub(super) fn new(output: &Output) -> Arc<Self> {
        Self::of(output, Stage::Copying)
    }

    /// The same of images that go into a file.
    pub(super) fn fetching(output: &Output) -> Arc<Self> {
        Self::of(output, Stage::Fetching)
    }

    fn of(output: &Output, stage: Stage) -> Arc<Self> {
        let style = if output.is_logging() {
            Style::Log
        } else if output.is_quiet() {
            Style::Nothing
        } else if Output::is_terminal() {
            Style::Bar(OnceLock::new())
        } else {
            Style::Lines
        };
        Arc::new(Self {
            output: output.clone(),
            style,
            stage,
            started: Instant::now(),
            planned: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            expected: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            uploaded: AtomicU64::new(0),
            downloaded: AtomicU64::new(0),
        })
    }

    /// So many tags are to be brought to destinations.
    pub(super) fn expect(&self, tags: usize) {
        self.planned.fetch_add(tags, Relaxed);
        if tags > 0 {
            self.start_bar();
            self.refresh();
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar() {
            bar.finish_and_clear();
        }
    }

    /// Tags that are finished, of those planned.
    pub(super) fn tags(&self) -> (usize, usize) {
        (self.finished.load(Relaxed), self.planned.load(Relaxed))
    }

    fn bar(&self) -> Option<&ProgressBar> {
        match &self.style {
            Style::Bar(bar) => bar.get(),
            Style::Lines | Style::Log | Style::Nothing => None,
        }
    }

    fn start_bar(&self) {
        if let Style::Bar(bar) = &self.style {
            bar.get_or_init(|| {
                let style = ProgressStyle::with_template(TEMPLATE)
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
                let bar = self.output.show(ProgressBar::new(1).with_style(style));
                bar.enable_steady_tick(TICK);
                bar
            });
        }
    }

    fn refresh(&self) {
        if let Some(bar) = self.bar() {
            let status = self.status();
            // A bar of no length is drawn full.
            bar.set_length(status.expected.max(1));
            bar.set_position(status.done());
            bar.set_message(status.to_string());
        }
    }

    fn status(&self) -> Status {
        let (finished, planned) = self.tags();
        Status {
            finished,
            planned,
            expected: self.expected.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            uploaded: self.uploaded.load(Relaxed),
            downloaded: self.downloaded.load(Relaxed),
            elapsed: self.started.elapsed(),
        }
    }
}

impl sync::Observer for Progress {
    fn planned(&self, tags: Vec<TagReport>) {
        let is_planned = |tag: &&TagReport| matches!(tag.outcome, Outcome::Planned { .. });
        self.expect(tags.iter().filter(is_planned).count());
    }

    fn finished(&self, mirror: &str, tag: &TagReport) {
        self.finished.fetch_add(1, Relaxed);
        match &self.style {
            Style::Log => log(mirror, tag),
            // Each failure is told once, with all others when everything is done.
            Style::Bar(_) | Style::Lines if !matches!(tag.outcome, Outcome::Failed(_)) => {
                self.output.note(&self.stage.line(tag));
            }
            Style::Bar(_) | Style::Lines | Style::Nothing => {}
        }
        self.refresh();
    }
}

impl progress::Observer for Progress {
    fn observe(&self, event: &Event) {
        match *event {
            Event::Expected { bytes } => self.expected.fetch_add(bytes, Relaxed),
            Event::Skipped { bytes } => self.skipped.fetch_add(bytes, Relaxed),
            Event::Downloaded { bytes } => self.downloaded.fetch_add(bytes, Relaxed),
            Event::Uploaded { bytes } => self.uploaded.fetch_add(bytes, Relaxed),
        };
        self.refresh();
    }
}

// === rendering ===

/// How far a round is.
#[derive(Clone, Copy, Debug)]
struct Status {
    finished: usize,
    planned: usize,
    expected: u64,
    skipped: u64,
    uploaded: u64,
    downloaded: u64,
    elapsed: Duration,
}

impl Status {
    /// Bytes that are where they belong, or on their way: a large blob is confirmed only as a whole.
    fn done(&self) -> u64 {
        let moved = self.uploaded.max(self.downloaded);
        self.expected.min(self.skipped + moved)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rate that is shown with one decimal"
    )]
    fn bytes_per_second(&self) -> u64 {
        let moved = self.uploaded.max(self.downloaded) as f64;
        (moved / self.elapsed.as_secs_f64().max(0.1)) as u64
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}/{} tags, {} of {}, {}/s",
            self.finished,
            self.planned,
            units::bytes(self.done()),
            units::bytes(self.expected),
            units::bytes(self.bytes_per_second()),
        )
    }
}

impl Stage {
    fn line(self, tag: &TagReport) -> String {
        let source = &tag.source;
        match (self, &tag.outcome) {
            (Self::Fetching, Outcome::Copied { bytes, .. } | Outcome::Completed { bytes, .. }) => {
                one_line(&format!("fetched {source} ({})", units::bytes(*bytes)))
            }
            (Self::Fetching, Outcome::Retagged { .. } | Outcome::Unchanged) => {
                one_line(&format!("fetched {source}"))
            }
            (Self::Fetching | Self::Copying, _) => line(tag),
        }
    }
}

/// The line of a finished tag.
fn line(tag: &TagReport) -> String {
    let TagReport { source, target, .. } = tag;
    let text = match &tag.outcome {
        Outcome::Copied { bytes, .. } => {
            format!("copied {source} -> {target} ({})", units::bytes(*bytes))
        }
        Outcome::Retagged { .. } => format!("retagged {source} -> {target}"),
        Outcome::Completed { bytes, .. } => {
            format!("completed {source} -> {target} ({})", units::bytes(*bytes))
        }
        Outcome::Unchanged => format!("unchanged {source} -> {target}"),
        Outcome::Frozen => format!("frozen {source} -> {target}"),
        Outcome::Refused(refusal) => format!("refused {source}: {}", refusal.message),
        Outcome::Quarantined(quarantine) => {
            format!("quarantined {source}: {}", quarantine.refusal.message)
        }
        Outcome::Planned { .. } => format!("planned {source} -> {target}"),
        Outcome::Failed(failure) => {
            format!("failed {source} -> {target}: {}", failure.message)
        }
    };
    one_line(&text)
}

/// An event for each tag. Failures are told by whoever reports the round.
fn log(mirror: &str, tag: &TagReport) {
    let TagReport {
        source,
        target,
        source_digest,
        ..
    } = tag;
    let (digest, bytes, message) = match &tag.outcome {
        Outcome::Copied { digest, bytes } => (digest, *bytes, "copied"),
        Outcome::Completed { digest, bytes } => (digest, *bytes, "completed"),
        Outcome::Retagged { digest } => (digest, 0, "retagged"),
        Outcome::Unchanged => (source_digest, 0, "unchanged"),
        Outcome::Frozen => (source_digest, 0, "frozen"),
        Outcome::Refused(_) => (source_digest, 0, "refused"),
        Outcome::Quarantined(_) => (source_digest, 0, "quarantined"),
        Outcome::Planned { .. } => (source_digest, 0, "planned"),
        Outcome::Failed(_) => return,
    };
    // A field named target would stand twice in JSON: the place in the code has that name.
    tracing::info!(mirror, source, destination = target, %digest, bytes, "{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_blob_moves_the_bar_before_it_is_confirmed() {
        let status = Status {
            finished: 3,
            planned: 42,
            expected: 120_000_000,
            skipped: 2_000_000,
            uploaded: 10_000_000,
            downloaded: 38_000_000,
            elapsed: Duration::from_secs(2),
        };
        insta::assert_snapshot!(status, @"3/42 tags, 40.0 MB of 120.0 MB, 19.0 MB/s");
        let confirmed = Status {
            uploaded: 118_000_000,
            ..status
        };
        assert_eq!(confirmed.done(), confirmed.expected);
        let retried = Status {
            downloaded: 500_000_000,
            ..status
        };
        assert_eq!(retried.done(), retried.expected);
    }
}
