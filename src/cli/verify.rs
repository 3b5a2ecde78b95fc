// SPDX-License-Identifier: Apache-2.0

//! `transship verify`: whether images are complete, and with `--deep` whether every byte of them is what its digest says.

mod image;
mod mirrors;
mod report;

use self::image::{Fault, Named, Root, Verified, verify};
use self::mirrors::verify_mirrors;
pub(super) use self::report::VerifyReport;
use self::report::{line, summary};
use super::args::{DocumentArgs, OutputArgs, VerifyImageArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image as images;
use super::location::Location;
use super::open::open;
use super::output::Output;
use super::progress::Progress;
use super::session::{Remembering, Session};
use crate::runtime::shutdown::until_signal;

/// Runs `transship verify`.
pub(super) async fn run(args: &VerifyImageArgs, output: &Output) -> Result<Exit, Error> {
    let of_mirrors = args.references.is_empty();
    let report = if of_mirrors {
        let session = open_session(args, output)?;
        let verified = until_signal(verify_mirrors(&session, args.deep)).await;
        verified.transpose()?.flatten()
    } else {
        until_signal(verify_images(args)).await.transpose()?
    };
    let Some(report) = report else {
        return Ok(Exit::Interrupted);
    };
    let OutputArgs { output: format } = args.output;
    output.print_value(format, &report, |report, _| {
        if of_mirrors {
            summary(report)
        } else {
            report.images.iter().map(line).collect()
        }
    })?;
    Ok(output.fail_all(&report.failures))
}

fn open_session(args: &VerifyImageArgs, output: &Output) -> Result<Session, Error> {
    let VerifyImageArgs {
        filename,
        set_env,
        mirror,
        state,
        ..
    } = args;
    let documents = DocumentArgs::as_written(filename, *set_env, mirror, state.as_deref());
    let progress = Progress::new(output);
    Session::open(
        &documents,
        &args.registry,
        output,
        progress,
        Remembering::Nothing,
    )
}

async fn verify_images(args: &VerifyImageArgs) -> Result<VerifyReport, Error> {
    let connector = Connector::open(&args.registry)?;
    let mut report = VerifyReport::default();
    for location in &args.references {
        match find(&connector, location).await {
            Ok((source, image)) => {
                let (verified, faults) = verify(&source, vec![image], args.deep).await;
                report.images.extend(verified);
                report
                    .failures
                    .extend(faults.into_iter().map(Fault::into_failure));
            }
            Err(error) => {
                let reference = location.to_string();
                report.failures.push(error.as_failure(&reference));
                report.images.push(Verified::unknown(reference, args.deep));
            }
        }
    }
    Ok(report)
}

async fn find(
    connector: &Connector,
    location: &Location,
) -> Result<(images::Source, Named), Error> {
    let images::Named { source, target } = open(connector, location).await?;
    let root = source.fetch_named(&target).await?;
    let named = Named {
        reference: location.to_string(),
        root: Root::Read(root),
    };
    Ok((source, named))
}
