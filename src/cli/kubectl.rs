// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship`: the plugin of kubectl, which is this program under the name `kubectl-transship`.
//!
//! ```text
//! status why tree restore logs page   what there is
//! sync switch approve             what a person asks for
//! cluster error                   the cluster, with the rights of the person
//! complete                        what kubectl's completions ask
//! fields                          texts inside a width
//! ```

mod approve;
mod cluster;
mod complete;
mod error;
mod fields;
mod logs;
mod page;
mod restore;
mod status;
mod switch;
mod sync;
mod tree;
mod why;

use std::ffi::{OsStr, OsString};
use std::path::Path;

pub use self::error::PluginError;

pub(super) use self::restore::RestorableTags;
pub(super) use self::status::MirrorList;
pub(super) use self::tree::MirrorTree;

use super::args::{Format, PluginArguments, PluginCommand};
use super::error::Error;
use super::exit::Exit;
use super::output::Output;

/// The file name under which this program is the plugin.
const PLUGIN: &str = "kubectl-transship";
/// The file name under which it completes what is typed behind it.
const COMPLETER: &str = "kubectl_complete-transship";

/// What this program is, by the name of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guise {
    /// The program itself.
    Transship,
    /// The plugin of kubectl.
    Plugin,
    /// What completes the words behind the plugin.
    Completer,
}

// === impl Guise ===

impl Guise {
    /// By what the program was called as.
    pub(super) fn of(program: Option<&OsStr>) -> Self {
        let stem = program.and_then(|program| Path::new(program).file_stem());
        match stem.and_then(OsStr::to_str) {
            Some(PLUGIN) => Self::Plugin,
            Some(COMPLETER) => Self::Completer,
            Some(_) | None => Self::Transship,
        }
    }
}

/// Runs a command of the plugin.
pub(super) async fn dispatch(arguments: &PluginArguments, output: &Output) -> Result<Exit, Error> {
    let place = &arguments.cluster;
    match &arguments.command {
        PluginCommand::Status(args) => status::run(args, place, output).await,
        PluginCommand::Why(args) => why::run(args, place, output).await,
        PluginCommand::Sync(args) => sync::run(args, place, output).await,
        PluginCommand::Approve(args) => approve::run(args, place, output).await,
        PluginCommand::Suspend(args) => switch::run(args, true, place, output).await,
        PluginCommand::Resume(args) => switch::run(args, false, place, output).await,
        PluginCommand::Restore(args) => restore::run(args, place, output).await,
        PluginCommand::Tree(args) => tree::run(args, place, output).await,
        PluginCommand::Logs(args) => logs::run(args, place, output).await,
        PluginCommand::Page(args) => page::run(args, place, output).await,
    }
}

/// The document that a command prints, in which format, and what it is about.
pub(super) fn result(command: &PluginCommand) -> Option<(Format, &'static str, String)> {
    let cluster = || "the cluster".to_owned();
    Some(match command {
        PluginCommand::Status(args) => (
            args.output.output,
            status::KIND,
            args.name.as_ref().map_or_else(cluster, ToString::to_string),
        ),
        PluginCommand::Why(args) => (args.output.output, why::KIND, args.image.to_string()),
        PluginCommand::Restore(args) => (args.output.output, restore::KIND, args.name.to_string()),
        PluginCommand::Tree(args) => (args.output.output, tree::KIND, args.name.to_string()),
        PluginCommand::Sync(_)
        | PluginCommand::Approve(_)
        | PluginCommand::Suspend(_)
        | PluginCommand::Resume(_)
        | PluginCommand::Logs(_)
        | PluginCommand::Page(_) => return None,
    })
}

/// Prints what the words behind the name of the program may become.
pub(super) async fn complete(words: impl Iterator<Item = OsString>) -> Exit {
    let words: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let output = Output::new(true, false);
    let completed = complete::run(&words, &output).await;
    // A shell that does not read any more wants nothing.
    let _ = output.print(completed);
    Exit::Success
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_decides() {
        for (program, guise) in [
            ("/usr/local/bin/transship", Guise::Transship),
            ("transship", Guise::Transship),
            ("/root/.krew/bin/kubectl-transship", Guise::Plugin),
            ("kubectl-transship.exe", Guise::Plugin),
            ("kubectl_complete-transship", Guise::Completer),
            ("", Guise::Transship),
        ] {
            assert_eq!(Guise::of(Some(OsStr::new(program))), guise, "{program}");
        }
        assert_eq!(Guise::of(None), Guise::Transship);
    }
}
