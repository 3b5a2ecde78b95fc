// SPDX-License-Identifier: Apache-2.0

//! What is made from the arguments themselves: completions and manual pages.

use std::io;

use clap::CommandFactory;
use clap_mangen::Man;

use super::args::{Arguments, CompletionsArgs, ManArgs};
use super::error::Error;
use super::exit::Exit;
use super::output::Output;

/// Prints the completions of a shell.
pub(super) fn completions(args: &CompletionsArgs, output: &Output) -> Result<Exit, Error> {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output.print(script)?;
    Ok(Exit::Success)
}

/// Prints the manual page of the program, or of one of its commands.
pub(super) fn man(args: &ManArgs, output: &Output) -> Result<Exit, Error> {
    let mut program = Arguments::command();
    // Gives the commands their full names and the common options.
    program.build();
    let command = match &args.command {
        None => &program,
        Some(name) => program
            .find_subcommand(name)
            .ok_or_else(|| unknown(&program, name))?,
    };
    output.print(render(command.clone()).map_err(Error::Output)?)?;
    Ok(Exit::Success)
}

fn render(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

fn unknown(program: &clap::Command, name: &str) -> Error {
    let known: Vec<&str> = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(clap::Command::get_name)
        .collect();
    Error::Usage(format!(
        "there is no command {name:?}: there are {}",
        known.join(", ")
    ))
}
