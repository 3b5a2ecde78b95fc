// SPDX-License-Identifier: Apache-2.0

//! Completions as kubectl asks for them: by a program `kubectl_complete-transship`, which gets the words so far and prints
//! what the last one may become, and then what the shell is to do.

use clap::{Command, CommandFactory as _, Parser as _};

use super::cluster::Cluster;
use crate::api::ImageMirror;
use crate::cli::args::{ClusterArgs, PluginArguments};
use crate::cli::output::Output;

/// Tells the shell to complete no names of files.
const NO_FILES: &str = ":4";
/// Commands that take no mirror.
const WITHOUT_MIRROR: [&str; 1] = ["why"];

/// What may be typed in place of the last word.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// One of these.
    Words(Vec<String>),
    /// The name of a mirror.
    Mirror,
}

/// Where the words say that the cluster is.
#[derive(clap::Parser)]
#[command(
    ignore_errors = true,
    disable_help_flag = true,
    disable_help_subcommand = true
)]
struct Place {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[arg(allow_hyphen_values = true)]
    _rest: Vec<String>,
}

/// What is printed for these words, the last of which is being typed.
pub(super) async fn run(words: &[String], output: &Output) -> String {
    let last = words.last().map_or("", String::as_str);
    let candidates = match next(words) {
        Next::Words(candidates) => candidates,
        Next::Mirror => mirrors(words, output).await,
    };
    let fitting = candidates
        .iter()
        .filter(|candidate| candidate.starts_with(last));
    let lines: String = fitting.map(|candidate| candidate.clone() + "\n").collect();
    format!("{lines}{NO_FILES}\n")
}

/// The mirrors of the namespace; none where they cannot be listed, since a person is typing.
async fn mirrors(words: &[String], output: &Output) -> Vec<String> {
    let program = std::iter::once("kubectl").map(str::to_owned);
    let place = Place::try_parse_from(program.chain(words.iter().cloned()));
    let Ok(Place { cluster, .. }) = place else {
        return Vec::new();
    };
    let listed = async {
        let cluster = Cluster::connect(&cluster, false).await?;
        cluster.list::<ImageMirror>(output).await
    };
    let mirrors = listed.await.unwrap_or_default();
    let names = mirrors
        .into_iter()
        .filter_map(|mirror| mirror.metadata.name);
    names.collect()
}

/// What may stand in place of the last word.
fn next(words: &[String]) -> Next {
    let mut program = PluginArguments::command();
    program.build();
    let (last, before) = words
        .split_last()
        .map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let command = before.iter().find_map(|word| program.find_subcommand(word));
    let known = command.unwrap_or(&program);
    if last.starts_with('-') {
        return Next::Words(flags(known));
    }
    if let Some(values) = before.last().and_then(|flag| values_of(known, flag)) {
        return Next::Words(values);
    }
    match command {
        None => Next::Words(commands(&program)),
        Some(command) if WITHOUT_MIRROR.contains(&command.get_name()) => Next::Words(Vec::new()),
        Some(_) => Next::Mirror,
    }
}

fn commands(program: &Command) -> Vec<String> {
    let commands = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    commands
        .map(|command| command.get_name().to_owned())
        .collect()
}

fn flags(command: &Command) -> Vec<String> {
    let flags = command
        .get_arguments()
        .filter_map(|argument| argument.get_long());
    flags.map(|flag| format!("--{flag}")).collect()
}

/// What a flag may be followed by; none where it takes nothing.
fn values_of(command: &Command, flag: &str) -> Option<Vec<String>> {
    let argument = command.get_arguments().find(|argument| {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        long.as_deref() == Some(flag) || short.as_deref() == Some(flag)
    })?;
    if !argument.get_action().takes_values() {
        return None;
    }
    let values = argument.get_possible_values();
    Some(
        values
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_typed_next() {
        let next = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            match super::next(&words) {
                Next::Mirror => "MIRROR".to_owned(),
                Next::Words(words) => words.join(" "),
            }
        };
        for (line, expected) in [
            (
                "",
                "status why sync approve suspend resume restore tree logs help",
            ),
            (
                "-n team ",
                "status why sync approve suspend resume restore tree logs help",
            ),
            ("sync ", "MIRROR"),
            ("logs -f ba", "MIRROR"),
            ("-n team status ", "MIRROR"),
            ("why ", ""),
            ("tree base -o ", "table wide json yaml"),
            ("tree base -n ", ""),
        ] {
            assert_eq!(next(line), expected, "{line}");
        }
        assert!(next("sync --no").contains("--no-wait"));
        assert!(next("logs --").contains("--controller-namespace"));
    }
}
