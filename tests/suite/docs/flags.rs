// SPDX-License-Identifier: Apache-2.0

//! Flags and their environment names.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use super::{matches, page};
use crate::support::program::Program;

/// What begins the flags that every command has.
const COMMON: &str = "\nCommon options:";

async fn help(arguments: &[&str]) -> String {
    let finished = Program::transship(arguments).run().await;
    finished.assert_success();
    finished.stdout
}

/// The page that lists the flags of a command.
fn page_of(command: &str) -> &'static str {
    match command {
        "controller" => "operations.md",
        _ => "commands.md",
    }
}

/// The help of each command without the flags that all have, and the help of the program, which has
/// these; each with the page that lists its flags.
async fn helps() -> Vec<(&'static str, String)> {
    let program = help(&["--help"]).await;
    let commands = matches(r"(?m)^  ([a-z]+)  +[A-Z]", &program);
    assert!(commands.contains("sync"), "{program}");
    let mut helps = vec![(page_of("transship"), program)];
    // `help` itself has no flags.
    for command in commands.iter().filter(|command| *command != "help") {
        let help = help(&[command, "--help"]).await;
        let (own, _) = help.split_once(COMMON).expect(command);
        helps.push((page_of(command), own.to_owned()));
        // A command of several has its flags below.
        let below = matches(r"(?m)^  ([a-z]+)  +[A-Z]", own);
        for word in below.iter().filter(|word| *word != "help") {
            let help = self::help(&[command, word, "--help"]).await;
            let (own, _) = help.split_once(COMMON).expect(word);
            helps.push((page_of(command), own.to_owned()));
        }
    }
    helps
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_and_its_environment_name_is_listed() {
    let mut flags = BTreeSet::new();
    for (name, help) in helps().await {
        let page = page(name);
        let short = matches(r"(?m)^ +(-\w), --", &help);
        let long = matches(r"(?m)^ +(?:-\w, )?(--[a-z][a-z-]+)", &help);
        let variables = matches(r"\[env:\s+(\w+)=", &help);
        for flag in short.iter().chain(&long).chain(&variables) {
            let is_listed = flag == "--help" || flag == "-h" || {
                let cell = format!("`{flag}");
                page.contains(&format!("{cell}`")) || page.contains(&format!("{cell} "))
            };
            assert!(is_listed, "{flag} is not in {name}");
        }
        flags.extend(long);
    }
    for name in ["commands.md", "operations.md"] {
        let listed = matches("`(--[a-z][a-z-]+)", &page(name));
        let unknown: Vec<&String> = listed.difference(&flags).collect();
        assert!(unknown.is_empty(), "{unknown:?} of {name}");
    }
}

/// The help of the plugin, and of each of its commands.
async fn plugin_helps() -> Vec<String> {
    let bin = tempfile::tempdir().unwrap();
    let plugin = bin.path().join("kubectl-transship");
    symlink(env!("CARGO_BIN_EXE_transship"), &plugin).unwrap();
    let help = async |arguments: &[&str]| {
        let finished = Program::at(&plugin, arguments).run().await;
        finished.assert_success();
        finished.stdout
    };
    let program = help(&["--help"]).await;
    let commands = matches(r"(?m)^  ([a-z]+)  +[A-Z]", &program);
    assert!(commands.contains("why"), "{program}");
    let mut helps = Vec::new();
    for command in commands.iter().filter(|command| *command != "help") {
        helps.push(help(&[command, "--help"]).await);
    }
    let page = page("kubectl.md");
    for command in commands.iter().filter(|command| *command != "help") {
        assert!(
            page.contains(&format!("| `{command} ")) || page.contains(&format!(", `{command} ")),
            "{command}"
        );
    }
    helps
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_and_flag_of_the_plugin_is_listed() {
    let page = page("kubectl.md");
    for help in plugin_helps().await {
        let (own, _) = help.split_once(COMMON).expect("common options");
        for flag in matches(r"(?m)^ +(?:-\w, )?(--[a-z][a-z-]+)", own) {
            assert!(
                flag == "--help" || page.contains(&format!("`{flag}`")),
                "{flag}"
            );
        }
    }
}
