// SPDX-License-Identifier: Apache-2.0

//! `transship bundle create`: a round whose destinations are layouts beside the bundle, which are packed when all of it
//! is there.

use std::path::Path;

use super::ends::{documents, failed};
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
use crate::layout::{ArchiveForm, BundleFile, BundlePlan, read_index};
use crate::runtime::clock;
use crate::runtime::shutdown::until_signal;
use crate::sync::Mode;

/// How the names of compressed bundles end.
const COMPRESSED: [&str; 2] = ["zst", "zstd"];

/// Runs `transship bundle create`.
pub(super) async fn run(args: &CreateBundleArgs, output: &Output) -> Result<Exit, Error> {
    let CreateBundleArgs {
        file,
        mirrors,
        since,
        registry,
        ..
    } = args;
    refuse_same_file(args)?;
    let previous = match since {
        None => None,
        Some(since) => Some(read_index(since.clone()).await.map_err(failed)?),
    };
    let mut staging = Staging::open(file)?;
    let mut documents = documents(mirrors);
    documents.to_layout = Some(staging.directory.clone());
    let progress = Progress::new(output);
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
    write(args, plan, output).await
}

/// A bundle is not written over what it relies on, nor its index over it.
fn refuse_same_file(args: &CreateBundleArgs) -> Result<(), Error> {
    let CreateBundleArgs {
        file, since, index, ..
    } = args;
    let place = |path: &Path| {
        path.canonicalize()
            .or_else(|_| std::path::absolute(path))
            .ok()
    };
    let names = [
        ("FILE", Some(file)),
        ("--since", since.as_ref()),
        ("--index", index.as_ref()),
    ];
    let names: Vec<_> = names
        .into_iter()
        .filter_map(|(name, path)| Some((name, path?)))
        .collect();
    for (number, (name, path)) in names.iter().enumerate() {
        for (other, of_other) in &names[..number] {
            if place(path) == place(of_other) {
                return Err(Error::Usage(format!(
                    "{other} and {name} are both {}: name another file",
                    path.display()
                )));
            }
        }
    }
    Ok(())
}

async fn write(args: &CreateBundleArgs, plan: BundlePlan, output: &Output) -> Result<Exit, Error> {
    let CreateBundleArgs {
        file,
        index,
        output: OutputArgs { output: format },
        ..
    } = args;
    let Some(written) = until_signal(plan.write()).await else {
        return Ok(Exit::Interrupted);
    };
    let written = written.map_err(failed)?;
    if let Some(path) = index {
        written.save(path.clone()).await.map_err(failed)?;
    }
    let bundle = BundleFile::open(file.clone()).await.map_err(failed)?;
    let view = BundleView::of(file, bundle.files(), &written);
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
