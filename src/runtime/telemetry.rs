// SPDX-License-Identifier: Apache-2.0

//! Log lines: to people as text, to machines as JSON.

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

/// Where our own log lines come from.
const OURS: &str = "transship";
/// The most that other libraries log: below, HTTP libraries log headers, and headers carry credentials.
const OTHERS: LevelFilter = LevelFilter::WARN;
/// Where the client of the API server logs: as a warning the whole of an answer that it cannot read,
/// and that may be a Secret; as an error what its caller says better.
const KUBE_CLIENT: &str = "kube_client";

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
    // A second subscriber is refused; tests in one process share the first.
    let _: Result<(), _> = subscriber(level, format, writer).try_init();
}

fn subscriber<W>(level: LevelFilter, format: Format, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let targets = Targets::new()
        .with_target(OURS, level)
        .with_target(KUBE_CLIENT, LevelFilter::OFF)
        .with_default(level.min(OTHERS));
    let lines = lines(format, writer).with_filter(targets);
    tracing_subscriber::registry().with(lines)
}

fn lines<W>(format: Format, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    match format {
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
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::{info, info_span, subscriber::with_default, warn};

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `work` logs as JSON, each parsed.
    fn logged(work: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(LevelFilter::INFO, Format::Json, move || writer.clone());
        with_default(subscriber, work);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_carries_the_fields_of_its_span() {
        let lines = logged(|| {
            let _round = info_span!("round", mirror = "platform/base").entered();
            info!(copied = 3, "done");
        });
        let line = &lines[0];
        assert_eq!(lines.len(), 1);
        assert_eq!(line["message"], "done");
        assert_eq!(line["copied"], 3);
        assert_eq!(line["span"]["name"], "round");
        assert_eq!(line["span"]["mirror"], "platform/base");
    }

    #[test]
    fn what_a_stranger_says_stays_on_its_line() {
        let strange = "a\n{\"level\":\"ERROR\"}\u{1b}[31m\u{0}\u{7f}";
        let lines = logged(|| {
            let _round = info_span!("round", mirror = strange).entered();
            warn!(error = strange, "{strange}");
        });
        assert_eq!(lines.len(), 1);
        for said in [
            &lines[0]["error"],
            &lines[0]["message"],
            &lines[0]["span"]["mirror"],
        ] {
            assert_eq!(said, strange);
        }
    }

    #[test]
    fn others_say_little_and_the_kubernetes_client_nothing() {
        let lines = logged(|| {
            info!(target: "hyper", "a header");
            warn!(target: "hyper", "a warning");
            warn!(target: "kube_client::client", "a secret");
            tracing::error!(target: "kube_client::client", "an error");
        });
        let messages = lines.iter().map(|line| &line["message"]);
        assert_eq!(messages.collect::<Vec<_>>(), ["a warning"]);
    }
}
