// SPDX-License-Identifier: Apache-2.0

//! Completions as kubectl asks for them: by a program `kubectl_complete-transship`, which gets the words so far and prints
//! what the last one may become, and then what the shell is to do.

use std::path::PathBuf;

use clap::{Command, CommandFactory as _};

use super::cluster::Cluster;
use crate::api::ImageMirror;
use crate::cli::args::{ClusterArgs, PluginArguments};
use crate::cli::output::Output;

/// Tells the shell to complete no names of files.
const NO_FILES: &str = ":4";
/// Commands that take no mirror.
const WITHOUT_MIRROR: [&str; 2] = ["why", "page"];

/// What may be typed in place of the last word.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// One of these.
    Words(Vec<String>),
    /// The name of a mirror.
    Mirror,
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
    let cluster = place(words);
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

/// Where the words say that the cluster is.
fn place(words: &[String]) -> ClusterArgs {
    ClusterArgs {
        kubeconfig: typed(words, "--kubeconfig", None).map(PathBuf::from),
        context: typed(words, "--context", None),
        namespace: typed(words, "--namespace", Some("-n")),
    }
}

/// What was typed for a flag at last: behind it, or joined to it.
fn typed(words: &[String], long: &str, short: Option<&str>) -> Option<String> {
    let joined = |word: &str| {
        let behind = word
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix('='));
        let behind_short = || {
            let rest = word.strip_prefix(short?)?;
            Some(rest.strip_prefix('=').unwrap_or(rest))
        };
        behind.or_else(behind_short).map(str::to_owned)
    };
    let places = words.iter().enumerate().rev();
    let mut values = places.filter_map(|(place, word)| {
        if word == long || short == Some(word.as_str()) {
            return words.get(place + 1).cloned();
        }
        joined(word)
    });
    values.next()
}

/// The command among the words, which is no value of a flag.
fn command_of<'a>(program: &'a Command, words: &[String]) -> Option<&'a Command> {
    let before = std::iter::once(None).chain(words.iter().map(Some));
    let mut words = words.iter().zip(before);
    words.find_map(|(word, before)| {
        let is_value = before.is_some_and(|flag| values_of(program, flag).is_some());
        program.find_subcommand(word).filter(|_| !is_value)
    })
}

/// What may stand in place of the last word.
fn next(words: &[String]) -> Next {
    let mut program = PluginArguments::command();
    program.build();
    let (last, before) = words
        .split_last()
        .map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let command = command_of(&program, before);
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
    fn the_cluster_is_where_the_words_say() {
        for (line, namespace) in [
            ("status ", None),
            ("-n shop status ", Some("shop")),
            ("status -n shop ", Some("shop")),
            ("status -o json -n shop ", Some("shop")),
            ("status --namespace shop ", Some("shop")),
            ("status --namespace=shop ", Some("shop")),
            ("status -nshop ", Some("shop")),
            ("status -n=shop ", Some("shop")),
            ("status -n team -n shop ", Some("shop")),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(place(&words).namespace.as_deref(), namespace, "{line}");
        }
        let words = ["logs", "--context=lab", "--kubeconfig", "file", ""].map(str::to_owned);
        let found = place(&words);
        assert_eq!(found.context.as_deref(), Some("lab"));
        assert_eq!(found.kubeconfig, Some(PathBuf::from("file")));
    }

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
                "status why sync approve suspend resume restore tree logs page help",
            ),
            (
                "-n team ",
                "status why sync approve suspend resume restore tree logs page help",
            ),
            ("sync ", "MIRROR"),
            ("logs -f ba", "MIRROR"),
            ("-n team status ", "MIRROR"),
            ("status -n shop ", "MIRROR"),
            ("status --namespace=shop ", "MIRROR"),
            ("-n status why ", ""),
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
