// SPDX-License-Identifier: Apache-2.0

//! Numbers for Prometheus, all in one registry.
//!
//! Every module registers its own. A label has few values: from an enum, or through [`Bounded`].

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::exposition::{self, Format};

/// What the name of every metric begins with.
const PREFIX: &str = "transship";
/// Distinct values of a label that are told apart.
const DISTINCT: usize = 100;
/// The value that stands for all others.
const OTHER: &str = "other";

/// The metrics of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

/// Values of one label that come from outside: the first hundred are told apart, all others are
/// `other`, so that nobody fills the memory of Prometheus.
#[derive(Debug)]
pub struct Bounded {
    seen: Mutex<HashSet<Arc<str>>>,
    other: Arc<str>,
}

// === impl Metrics ===

impl Metrics {
    /// Metrics that tell the version and nothing else yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What this program is", build);
        Self { registry }
    }

    /// Where modules register their metrics. The prefix is set.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// All metrics in a format.
    pub fn render(&self, format: Format) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(match format {
            Format::OpenMetrics => text,
            Format::Text => exposition::to_text(&text),
        })
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Bounded ===

impl Bounded {
    /// No value yet.
    pub fn new() -> Self {
        Self {
            seen: Mutex::default(),
            other: OTHER.into(),
        }
    }

    /// The value to use for this one.
    pub fn label(&self, value: &str) -> Arc<str> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.get(value) {
            return Arc::clone(known);
        }
        if seen.len() >= DISTINCT {
            return Arc::clone(&self.other);
        }
        let label = Arc::<str>::from(value);
        seen.insert(Arc::clone(&label));
        label
    }
}

impl Default for Bounded {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::EncodeLabelSet;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
    struct Labels {
        registry: Arc<str>,
    }

    #[test]
    fn metrics_are_text_with_a_common_prefix() {
        let mut metrics = Metrics::new();
        let requests = Family::<Labels, Counter>::default();
        metrics
            .registry()
            .register("requests", "What was asked", requests.clone());
        let registry = Bounded::new().label("a\"b\nc");
        requests.get_or_create(&Labels { registry }).inc();
        let version = env!("CARGO_PKG_VERSION");
        let text = metrics
            .render(Format::OpenMetrics)
            .unwrap()
            .replace(version, "VERSION");
        insta::assert_snapshot!(text, @r#"
        # HELP transship_build What this program is.
        # TYPE transship_build info
        transship_build_info{version="VERSION"} 1
        # HELP transship_requests What was asked.
        # TYPE transship_requests counter
        transship_requests_total{registry="a\"b\nc"} 1
        # EOF
        "#);
    }

    #[test]
    fn the_first_hundred_values_are_told_apart() {
        let bounded = Bounded::new();
        let label = |number: usize| bounded.label(&number.to_string()).to_string();
        for number in 0..DISTINCT {
            assert_eq!(label(number), number.to_string());
        }
        assert_eq!(label(DISTINCT), OTHER);
        assert_eq!(label(DISTINCT - 1), (DISTINCT - 1).to_string());
    }
}
