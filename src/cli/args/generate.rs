// SPDX-License-Identifier: Apache-2.0

//! Texts for other programs: `crds`, `schema`, `completions` and `man`.

use clap::Args;
use clap_complete::Shell;

/// `transship crds`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship crds | kubectl apply --server-side -f -
  transship crds imagemirrors")]
pub struct CrdsArgs {
    /// The one that is printed, such as imagemirrors or imir; without it all of them.
    pub name: Option<String>,
}

/// `transship schema`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship schema > transship.schema.json
  transship schema imagemirrors

Editors that read YAML with schemas complete and check files that begin with
  # yaml-language-server: $schema=transship.schema.json")]
pub struct SchemaArgs {
    /// The kind, such as imagemirrors or impol; without it one schema for files of all kinds.
    pub name: Option<String>,
}

/// `transship completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  transship completions bash > /etc/bash_completion.d/transship")]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

/// `transship man`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship man | man -l -
  transship man sync > transship-sync.1")]
pub struct ManArgs {
    /// The command whose page is printed; without one the page of transship itself.
    pub command: Option<String>,
}
