// SPDX-License-Identifier: Apache-2.0

//! The formats in which Prometheus and others read metrics, and which of them a client wants.
//!
//! The text format 0.0.4 is what everybody reads; `OpenMetrics` 1.0 is served to who asks for it. Our encoder
//! writes the latter. As far as metrics of ours differ in the two (prometheus.io/docs/instrumenting,
//! "Exposition formats"): the text format names a counter or info as its samples are named, it knows no info
//! and no units, it does not escape quotes in help, and nothing marks its end.

use std::fmt::Write as _;

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// What a client wants by its `Accept` fields: `OpenMetrics` where it names that and likes it no less than
    /// plain text.
    pub fn accepted<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut open_metrics, mut text) = (0.0_f32, 0.0_f32);
        for range in accept.into_iter().flat_map(|field| field.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameter = |wanted: &str| {
                parts.clone().find_map(|part| {
                    let (name, value) = part.split_once('=')?;
                    let is_it = name.trim().eq_ignore_ascii_case(wanted);
                    is_it.then(|| value.trim().trim_matches('"'))
                })
            };
            let quality = parameter("q").map_or(1.0, |q| q.parse().unwrap_or(0.0));
            let is_known = matches!(parameter("version"), None | Some("1.0.0" | "0.0.1"));
            match name.as_str() {
                "application/openmetrics-text" if is_known => {
                    open_metrics = open_metrics.max(quality);
                }
                "text/plain" | "text/*" | "*/*" => text = text.max(quality),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The `Content-Type` of the answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The text format of what is written as `OpenMetrics`.
pub(super) fn to_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        let is_comment = words.next() == Some("#");
        match (is_comment, words.next(), words.next(), words.next()) {
            (true, Some("HELP"), Some(_), said) => help = said,
            (true, Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = in_text(kind);
                if let Some(help) = help.take() {
                    let help = help.replace("\\\"", "\"");
                    let _infallible = writeln!(text, "# HELP {name}{suffix} {help}");
                }
                let _infallible = writeln!(text, "# TYPE {name}{suffix} {kind}");
            }
            (true, ..) => {}
            (false, ..) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// What the samples of a type have behind the name of their metric, and what the type is called.
fn in_text(kind: &str) -> (&'static str, &str) {
    match kind {
        "counter" => ("_total", kind),
        "info" => ("_info", "gauge"),
        "unknown" => ("", "untyped"),
        "stateset" => ("", "gauge"),
        _ => ("", kind),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;
    use prometheus_client::registry::{Registry, Unit};

    use super::*;

    #[test]
    fn openmetrics_is_for_who_asks_for_it() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let cases: [(&[&str], Format); 16] = [
            (&[], Format::Text),
            (&[""], Format::Text),
            (&["*/*"], Format::Text),
            (&["text/plain"], Format::Text),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], Format::Text),
            (&[protobuf], Format::Text),
            (&[prometheus_2], Format::OpenMetrics),
            (&[prometheus_3], Format::OpenMetrics),
            (&["application/openmetrics-text"], Format::OpenMetrics),
            (
                &["Application/OpenMetrics-Text; Version=\"1.0.0\" ; q=0.5"],
                Format::OpenMetrics,
            ),
            (
                &["text/plain;q=0.2", "application/openmetrics-text;q=0.3"],
                Format::OpenMetrics,
            ),
            (
                &["application/openmetrics-text;version=2.0.0"],
                Format::Text,
            ),
            (&["application/openmetrics-text;q=0"], Format::Text),
            (&["application/openmetrics-text;q=x"], Format::Text),
            (
                &["application/openmetrics-text;q=0.3,text/plain;q=0.4"],
                Format::Text,
            ),
            (&[",;=,;q="], Format::Text),
        ];
        for (accept, expected) in cases {
            let found = Format::accepted(accept.iter().copied());
            assert_eq!(found, expected, "{accept:?}");
        }
    }

    #[test]
    fn the_text_format_says_the_same() {
        let mut registry = Registry::with_prefix("t");
        registry.register(
            "build",
            "What it \"is\"",
            Info::new([("version", "1 \"a\"")]),
        );
        let requests = Family::<Vec<(String, String)>, Counter>::default();
        let host = ("host".to_owned(), "a\\b\n# TYPE x y".to_owned());
        requests.get_or_create(&vec![host]).inc();
        registry.register("requests", "What was asked", requests);
        let depth: Gauge = Gauge::default();
        registry.register_with_unit("depth", "How deep", Unit::Meters, depth);
        let seconds = Histogram::new([0.5, 1.0]);
        seconds.observe(0.7);
        registry.register_with_unit("round", "How long", Unit::Seconds, seconds);
        let mut open_metrics = String::new();
        encode(&mut open_metrics, &registry).unwrap();
        insta::assert_snapshot!(to_text(&open_metrics), @r##"
        # HELP t_build_info What it "is".
        # TYPE t_build_info gauge
        t_build_info{version="1 \"a\""} 1
        # HELP t_requests_total What was asked.
        # TYPE t_requests_total counter
        t_requests_total{host="a\\b\n# TYPE x y"} 1
        # HELP t_depth_meters How deep.
        # TYPE t_depth_meters gauge
        t_depth_meters 0
        # HELP t_round_seconds How long.
        # TYPE t_round_seconds histogram
        t_round_seconds_sum 0.7
        t_round_seconds_count 1
        t_round_seconds_bucket{le="0.5"} 0
        t_round_seconds_bucket{le="1.0"} 1
        t_round_seconds_bucket{le="+Inf"} 1
        "##);
    }
}
