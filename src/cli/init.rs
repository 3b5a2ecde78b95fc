// SPDX-License-Identifier: Apache-2.0

//! `transship init`: five questions, and a first mirror in a file.
//!
//! ```text
//! questions     what is asked, in which order, and what a registry says about an answer
//! conversation  a person at a terminal, or flags alone
//! sight         registries that an answer names
//! speech        what has to be said of a registry before it is reached
//! sheet         the answers as YAML
//! file          where it goes
//! next          what to try then
//! ```

mod conversation;
mod file;
mod next;
mod questions;
mod sheet;
mod sight;
mod speech;

use self::conversation::Conversation;
use self::file::NewFile;
use self::sight::Sight;
use super::args::InitArgs;
use super::error::Error;
use super::exit::Exit;
use super::output::Output;

/// Runs `transship init`.
pub(super) async fn run(args: &InitArgs, output: &Output) -> Result<Exit, Error> {
    let file = NewFile::at(&args.file, args.force)?;
    let sight = Sight::open(args)?;
    let mut tell = |line: &str| output.note(line);
    let mut conversation = Conversation::begin(args, &mut tell)?;
    let answered = questions::ask(args, &sight, &mut conversation).await?;
    let text = answered.mirror.to_yaml();
    let mirror = answered.mirror.validate()?;
    file.write(&text, output)?;
    if !file.is_stdout() {
        let tags = answered.tags.as_deref();
        output.print(next::steps(args, &answered.mirror, &mirror, tags))?;
    }
    Ok(Exit::Success)
}
