// SPDX-License-Identifier: Apache-2.0

//! The program as a person meets it: what it prints, how it ends, whose credentials it uses.

mod access;
mod archives;
mod beginning;
mod completing;
mod copying;
mod first_hour;
mod identities;
mod images;
mod looking;
mod machines;
mod measuring;
mod owning;
mod paging;
mod remembering;
mod setting;
mod stopping;
mod syncing;
mod verifying;
mod widths;
mod words;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::program::{Finished, Program};
use crate::support::registries::Registry;

/// A directory with files.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        for (name, content) in files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program in this directory.
    fn transship(&self, arguments: &[&str]) -> Program {
        Program::transship(arguments).directory(self.0.path())
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        self.transship(arguments).run().await
    }
}

/// A mirror of all tags of `app`.
fn mirror(source: &Registry, destination: &Registry) -> String {
    format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{}', insecure: true}}
  images: [{{repository: app, tags: ['*']}}]
  destinations: [{{name: d, registry: '{}', insecure: true}}]
",
        source.host(),
        destination.host()
    )
}

/// Output with names in place of the ports of this run.
fn with_names(text: &str, registries: &[(&Registry, &str)]) -> String {
    let mut text = text.to_owned();
    for (registry, name) in registries {
        text = text.replace(&registry.host(), name);
    }
    text
}
