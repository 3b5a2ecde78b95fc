// SPDX-License-Identifier: Apache-2.0

//! Writes the file of another tool as documents of ours.

mod check;

use super::args::ConvertArgs;
use super::documents::{self, DocumentsError};
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use crate::convert::{self, Conversion, Surroundings};

/// Prints the documents, and says what has no counterpart; or holds them against the file.
pub(super) async fn run(args: &ConvertArgs, output: &Output) -> Result<Exit, Error> {
    let (text, name) = documents::read_file(&args.file)?;
    let surroundings = Surroundings {
        from: args.from.clone(),
        to: args.to.clone(),
        scoped: args.scoped,
    };
    let converted = convert::convert(args.form, &text, &name, &surroundings);
    let Conversion { yaml, gaps } =
        converted.map_err(|error| DocumentsError::Wrong(vec![error]))?;
    if args.check {
        let theirs = convert::read_theirs(args.form, &text, &name, &surroundings);
        let theirs = theirs.map_err(|error| DocumentsError::Wrong(vec![error]))?;
        for gap in &gaps {
            output.note(&format!("not converted: {name}: {gap}"));
        }
        return check::run(args, &yaml, theirs, output).await;
    }
    output.print(yaml)?;
    for gap in &gaps {
        output.note(&format!("not converted: {name}: {gap}"));
    }
    Ok(if gaps.is_empty() {
        Exit::Success
    } else {
        Exit::Failure
    })
}
