// SPDX-License-Identifier: Apache-2.0

//! The files of several mirrors, and the program that runs them from one state file.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::lab::image;
use crate::support::faults::FaultRegistry;
use crate::support::program::{Finished, Program};

/// Where the tags are, at every registry.
pub(super) const REPOSITORY: &str = "team/app";
/// What prunes at once, as far as it may.
pub(super) const PRUNE: &str = "mode: Delete, grace: 1ms, inUse: Ignore, maxPercent: 100";

/// Two registries, and the files of the mirrors between them.
pub(super) struct Files {
    pub(super) source: FaultRegistry,
    pub(super) destination: FaultRegistry,
    directory: TempDir,
}

/// A mirror as it is written.
#[derive(Clone)]
pub(super) struct Written {
    name: &'static str,
    source: String,
    tags: &'static str,
    destinations: String,
    prune: &'static str,
    more: &'static str,
    /// More documents.
    beside: &'static str,
}

/// What a run came to.
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) said: String,
    pub(super) document: Value,
}

/// Loads these tags to a source; every tag is an image of its own, the same at each source.
pub(super) fn load(source: &FaultRegistry, tags: &[&str]) {
    for (tag, number) in tags.iter().zip(1..) {
        source.load(REPOSITORY, tag, &image(number));
    }
}

impl Files {
    /// Every tag is an image of its own.
    pub(super) fn with_tags(tags: &[&str]) -> Self {
        Self::at(FaultRegistry::start(), tags)
    }

    /// The same with this destination.
    pub(super) fn at(destination: FaultRegistry, tags: &[&str]) -> Self {
        let files = Self {
            source: FaultRegistry::start(),
            destination,
            directory: TempDir::new().unwrap(),
        };
        load(&files.source, tags);
        files
    }

    /// A mirror that wants these tags of the source at the destination, and prunes.
    pub(super) fn mirror(&self, name: &'static str, tags: &'static str) -> Written {
        Written {
            name,
            source: self.source.host(),
            tags,
            destinations: place("d", &self.destination.host(), ""),
            prune: PRUNE,
            more: "",
            beside: "",
        }
    }

    /// Runs the program on these mirrors.
    pub(super) async fn run(&self, mirrors: &[&Written], arguments: &[&str]) -> Ran {
        Ran::read(&self.program(mirrors, arguments).run().await)
    }

    /// The program on these mirrors.
    pub(super) fn program(&self, mirrors: &[&Written], arguments: &[&str]) -> Program {
        let mut text = String::new();
        for mirror in mirrors {
            write!(text, "---\n{}", mirror.yaml()).unwrap();
        }
        let file = self.directory.path().join("mirrors.yaml");
        fs::write(&file, text).unwrap();
        Program::transship(arguments)
            .argument("-o")
            .argument("json")
            .argument("-f")
            .argument(file)
            .argument("--state")
            .argument(self.directory.path().join("state.json"))
    }

    /// The same, which must end well.
    pub(super) async fn run_well(&self, mirrors: &[&Written], arguments: &[&str]) -> Ran {
        let ran = self.run(mirrors, arguments).await;
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.said);
        ran
    }

    /// A round that finds what is not wanted, and one that deletes it.
    pub(super) async fn prune(&self, mirrors: &[&Written], more: &[&str]) -> Ran {
        self.run(mirrors, &[&["prune"], more].concat()).await;
        self.run(mirrors, &[&["prune", "--delete"], more].concat())
            .await
    }

    /// The tags at the destination.
    pub(super) fn tags(&self) -> Vec<String> {
        self.destination.tags(REPOSITORY)
    }
}

impl Written {
    pub(super) fn from(mut self, source: &str) -> Self {
        source.clone_into(&mut self.source);
        self
    }

    pub(super) fn at(mut self, destinations: &[String]) -> Self {
        self.destinations = destinations.join(", ");
        self
    }

    pub(super) fn prune(mut self, prune: &'static str) -> Self {
        self.prune = prune;
        self
    }

    /// One more line of the spec.
    pub(super) fn line(mut self, line: &'static str) -> Self {
        self.more = line;
        self
    }

    /// More documents beside it.
    pub(super) fn beside(mut self, documents: &'static str) -> Self {
        self.beside = documents;
        self
    }

    fn yaml(&self) -> String {
        let Self {
            name,
            source,
            tags,
            destinations,
            prune,
            more,
            beside,
        } = self;
        format!(
            "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: {name}}}
spec:
  source: {{registry: '{source}', insecure: true}}
  images: [{{repository: {REPOSITORY}, tags: {tags}}}]
  destinations: [{destinations}]
  prune: {{{prune}}}
  {more}
{beside}"
        )
    }
}

/// A destination, with more fields in `more`.
pub(super) fn place(name: &str, host: &str, more: &str) -> String {
    format!("{{name: {name}, registry: '{host}', insecure: true{more}}}")
}

impl Ran {
    pub(super) fn read(finished: &Finished) -> Self {
        let Finished {
            code,
            stdout,
            stderr,
        } = finished;
        Self {
            code: *code,
            said: format!("{stdout}{stderr}"),
            document: serde_json::from_str(stdout).unwrap_or_default(),
        }
    }

    /// What pruning came to for the first mirror.
    pub(super) fn first(&self) -> &Value {
        &self.document["mirrors"][0]["prune"]
    }
}
