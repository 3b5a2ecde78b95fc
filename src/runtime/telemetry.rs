//! Log lines: to people as text, to machines as JSON.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Where our own log lines come from.
const OURS: &str = "transship";
/// The most that other libraries log: below, HTTP libraries log headers, and headers carry credentials.
const OTHERS: LevelFilter = LevelFilter::WARN;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One readable line, in colours where the terminal shows them.
    Human {
        /// Whether colours are used, unless `NO_COLOR` is set.
        colours: bool,
    },
    /// One JSON object a line.
    Json,
}

/// Sends log lines from `level` on to `writer`. Only the first call in a process counts.
pub fn init<W>(level: LevelFilter, format: Format, writer: W)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let targets = Targets::new()
        .with_target(OURS, level)
        .with_default(level.min(OTHERS));
    let lines = match format {
        Format::Human { colours: true } => {
            fmt::layer().with_target(false).with_writer(writer).boxed()
        }
        Format::Human { colours: false } => fmt::layer()
            .with_ansi(false)
            .with_target(false)
            .with_writer(writer)
            .boxed(),
        Format::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(writer)
            .boxed(),
    };
    // A second subscriber is refused; tests in one process share the first.
    let _: Result<(), _> = tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init();
}
