// SPDX-License-Identifier: Apache-2.0

//! `transship bundle`: the images of mirrors in one file, for a place without a network.

mod create;
mod ends;
mod entries;
mod load;
mod places;
mod signing;
mod staging;
mod verify;
mod view;

use self::ends::failed;
pub(super) use self::view::{BundleReport, BundleView};
use super::args::{BundleCommand, Format, ListBundleArgs, OutputArgs};
use super::error::Error;
use super::exit::Exit;
use super::output::{Document as _, Output};
use super::report::RoundDocument;
use crate::layout::{self, BundleFile};
use crate::runtime::shutdown::until_signal;

/// Runs `transship bundle`.
pub(super) async fn run(command: &BundleCommand, output: &Output) -> Result<Exit, Error> {
    match command {
        BundleCommand::Create(args) => Box::pin(create::run(args, output)).await,
        BundleCommand::Load(args) => Box::pin(load::run(args, output)).await,
        BundleCommand::Ls(args) => list(args, output).await,
        BundleCommand::Verify(args) => verify::run(args, output).await,
    }
}

/// The document that a command prints, in which format, and what it is about.
pub(super) fn result(command: &BundleCommand) -> (Format, &'static str, String) {
    let subject = |file: &std::path::Path| file.display().to_string();
    match command {
        BundleCommand::Create(args) => (args.output.output, BundleView::KIND, subject(&args.file)),
        BundleCommand::Ls(args) => (args.output.output, BundleView::KIND, subject(&args.file)),
        BundleCommand::Verify(args) => {
            (args.output.output, BundleReport::KIND, subject(&args.file))
        }
        BundleCommand::Load(args) => (args.output.output, RoundDocument::KIND, subject(&args.file)),
    }
}

async fn list(args: &ListBundleArgs, output: &Output) -> Result<Exit, Error> {
    let ListBundleArgs {
        file,
        output: OutputArgs { output: format },
    } = args;
    let opened = until_signal(async {
        match BundleFile::open(file.clone()).await {
            Ok(bundle) => Ok((bundle.files(), bundle.index, bundle.signature)),
            // It may be an index that was written beside a bundle.
            Err(error) => match layout::read_index(file.clone()).await {
                Ok(index) => Ok((Vec::new(), index, None)),
                Err(_) => Err(failed(error)),
            },
        }
    });
    let Some(opened) = opened.await else {
        return Ok(Exit::Interrupted);
    };
    let (files, index, signature) = opened?;
    let view = BundleView::of(file, files, &index, signature.as_ref());
    output.print_value(*format, &view, BundleView::render)?;
    Ok(Exit::Success)
}
