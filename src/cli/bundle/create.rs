// SPDX-License-Identifier: Apache-2.0

//! `transship bundle create`: a round whose destinations are layouts beside the bundle, which are packed when all of it
//! is there.

use std::path::Path;

use super::ends::{documents, failed};
use super::places;
use super::signing;
use super::staging::Staging;
use super::view::BundleView;
use crate::cli::args::{CreateBundleArgs, OutputArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::report::tell_failures;
use crate::cli::session::{Remembering, Session};
use crate::cli::summary;
use crate::layout::{ArchiveForm, BundleFile, BundlePlan, keep_blobs, read_index};
use crate::runtime::clock;
use crate::runtime::shutdown::until_signal;
use crate::signature::SigningKey;
use crate::sync::Mode;

/// How the names of compressed bundles end.
const COMPRESSED: [&str; 2] = ["zst", "zstd"];

/// Runs `transship bundle create`.
pub(super) async fn run(args: &CreateBundleArgs, output: &Output) -> Result<Exit, Error> {
    let CreateBundleArgs {
        file,
        mirrors,
        since,
        key,
        registry,
        ..
    } = args;
    let key = key.as_deref().map(signing::read_key).transpose()?;
    places::check(args).await?;
    let previous = match since {
        None => None,
        Some(since) => Some(read_index(since.clone()).await.map_err(failed)?),
    };
    let mut staging = Staging::open(file)?;
    keep_blobs(staging.directory.clone())
        .await
        .map_err(failed)?;
    let mut documents = documents(mirrors);
    documents.to_layout = Some(staging.directory.clone());
    let progress = Progress::fetching(output);
    let remembering = Remembering::All;
    let mut session = Session::open_as(&documents, registry, progress, remembering, |input| {
        staging.redirect(input, previous.as_deref());
        Ok(())
    })?;
    session.skip(output, |mirror| mirror.suspend.then_some("is suspended"));
    let Some(report) = session.round(Mode::Apply).await else {
        output.note(&format!("interrupted: {} was not written", file.display()));
        return Ok(Exit::Interrupted);
    };
    tell_failures(&report, output);
    for line in summary::refusals(&report).lines() {
        output.note(line);
    }
    if report.totals().failed > 0 {
        return Err(unwritten(file, "not every image could be had"));
    }
    let repositories = staging.gathered(&report);
    if repositories.is_empty() {
        return Err(unwritten(file, "no image is to go into it"));
    }
    let plan = BundlePlan {
        target: file.clone(),
        scratch: staging.directory.clone(),
        form: form(args),
        created: clock::now(),
        previous: previous.map(|previous| previous.digest()),
        repositories,
    };
    write(args, plan, key.as_ref(), output).await
}

async fn write(
    args: &CreateBundleArgs,
    plan: BundlePlan,
    key: Option<&SigningKey>,
    output: &Output,
) -> Result<Exit, Error> {
    let CreateBundleArgs {
        file,
        index,
        output: OutputArgs { output: format },
        ..
    } = args;
    let written = until_signal(async {
        let gathered = plan.gather().await.map_err(failed)?;
        let sign = |key| signing::sign(key, &gathered.index.render());
        let signature = key.map(sign).transpose()?;
        gathered.write(signature).await.map_err(failed)
    });
    let Some(written) = written.await else {
        return Ok(Exit::Interrupted);
    };
    let written = written?;
    if let Some(path) = index {
        written.save(path.clone()).await.map_err(failed)?;
    }
    let bundle = BundleFile::open(file.clone()).await.map_err(failed)?;
    let view = BundleView::of(file, bundle.files(), &written, bundle.signature.as_ref());
    output.print_value(*format, &view, BundleView::render)?;
    Ok(Exit::Success)
}

fn form(args: &CreateBundleArgs) -> ArchiveForm {
    ArchiveForm {
        is_compressed: args.zstd || is_compressed(&args.file),
        split: args.split,
    }
}

fn unwritten(file: &Path, why: &str) -> Error {
    Error::Image(format!("{} was not written, for {why}", file.display()))
}

fn is_compressed(file: &Path) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| COMPRESSED.contains(&ending))
}
