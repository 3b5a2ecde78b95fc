// SPDX-License-Identifier: Apache-2.0

//! What is asked, and what it takes to answer.

use std::time::Instant;

use serde::Serialize;

use crate::shared::process::ended_children_cpu_seconds;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::program::Program;

/// Runs of each question; the one in the middle counts.
const RUNS: usize = 5;

/// Which tags are to be taken.
#[derive(Clone, Copy)]
pub(crate) enum Question {
    /// Few: nearly every line says why a tag is left out.
    Newest,
    /// The same by a part of each tag, as a number, whatever its variant.
    Extracted,
    /// All: every tag is looked at, at both ends.
    All,
}

/// What was printed, and what it took.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    /// What was asked.
    pub(crate) question: String,
    /// User and system time.
    pub(crate) cpu_seconds: f64,
    /// How long it was.
    pub(crate) wall_seconds: f64,
    /// Requests at both ends.
    pub(crate) requests: usize,
    /// Lines of tags.
    pub(crate) rows: usize,
    /// Everything that was printed.
    pub(crate) bytes: usize,
}

impl Question {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Newest, Self::Extracted, Self::All];

    fn name(self) -> &'static str {
        match self {
            Self::Newest => "the newest of each minor",
            Self::Extracted => "the newest by extracted number",
            Self::All => "all",
        }
    }

    fn entry(self) -> &'static str {
        match self {
            Self::Newest => "{repository: app, policyRefs: [{name: newest}]}",
            Self::Extracted => {
                "{repository: app, select: {exclude: ['.*-slim'], extract: {pattern: '(\\d+)\\.(\\d+)\\.(\\d+)(-.*)?', value: '$1.$2$3'}, \
                 newest: {count: 2, by: Number, per: Major, variants: Together}}}"
            }
            Self::All => "{repository: app, tags: ['*']}",
        }
    }

    /// Asks several times about a repository with so many tags.
    pub(crate) async fn ask(self, tags: usize) -> Answer {
        let (source, destination) = (repository(tags), FaultRegistry::start());
        let mut answers = Vec::new();
        for _ in 0..RUNS {
            answers.push(self.ask_once(&source, &destination).await);
        }
        answers.sort_by(|left, right| left.cpu_seconds.total_cmp(&right.cpu_seconds));
        answers.swap_remove(RUNS / 2)
    }

    async fn ask_once(self, source: &FaultRegistry, destination: &FaultRegistry) -> Answer {
        for registry in [source, destination] {
            registry.script().clear_requests();
        }
        let cpu = ended_children_cpu_seconds();
        let start = Instant::now();
        let finished = Program::transship(&["plan", "-o", "wide", "-f", "-"])
            .input(self.documents(source, destination))
            .run()
            .await;
        let wall_seconds = start.elapsed().as_secs_f64();
        let rows = finished.stdout.lines().skip(1);
        Answer {
            question: self.name().to_owned(),
            cpu_seconds: ended_children_cpu_seconds() - cpu,
            wall_seconds,
            requests: source.requests().len() + destination.requests().len(),
            rows: rows.take_while(|row| !row.is_empty()).count(),
            bytes: finished.stdout.len(),
        }
    }

    fn documents(self, source: &FaultRegistry, destination: &FaultRegistry) -> String {
        let (from, to) = (source.host(), destination.host());
        let entry = self.entry();
        format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
             source: {{registry: '{from}', insecure: true}}\n  images: [{entry}]\n  \
             destinations: [{{name: d, registry: '{to}', insecure: true}}]\n---\n\
             apiVersion: transship.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: newest}}\n\
             spec: {{select: {{newest: {{count: 1, per: Minor}}}}}}\n"
        )
    }
}

impl Answer {
    /// The figures of a row.
    pub(crate) fn cells(&self) -> [String; 5] {
        let Self {
            question: _,
            cpu_seconds,
            wall_seconds,
            requests,
            rows,
            bytes,
        } = self;
        [
            format!("{cpu_seconds:.2}"),
            format!("{wall_seconds:.2}"),
            requests.to_string(),
            rows.to_string(),
            (bytes / 1_000).to_string(),
        ]
    }
}

/// A repository that has seen years of builds: versions with variants, candidates, and builds of no version.
fn repository(tags: usize) -> FaultRegistry {
    let source = FaultRegistry::start();
    let image = ImageBuilder::new(1).layers(&[500]).build();
    source.load("app", "latest", &image);
    for number in 1..tags {
        let (major, minor, patch) = (number / 1_000, number / 100 % 10, number / 4 % 25);
        let tag = match number % 4 {
            0 => format!("{major}.{minor}.{patch}"),
            1 => format!("{major}.{minor}.{patch}-alpine"),
            2 => format!("{major}.{minor}.{patch}-rc.1"),
            _ => format!("build-{number}"),
        };
        source.load_manifest("app", &tag, &image.root);
    }
    source
}
