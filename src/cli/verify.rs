//! `transship verify`: whether images are complete, and with `--deep` whether every byte of them is what its digest says.

mod image;
mod mirrors;
mod report;

use self::image::{Fault, Named, Verified, verify};
use self::mirrors::verify_mirrors;
pub(super) use self::report::VerifyReport;
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
use super::units;
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
    report
        .failures
        .iter()
        .for_each(|failure| output.fail(failure));
    Ok(if report.failures.is_empty() {
        Exit::Success
    } else {
        Exit::Failure
    })
}

fn open_session(args: &VerifyImageArgs, output: &Output) -> Result<Session, Error> {
    let documents = DocumentArgs {
        filename: args.filename.clone(),
        mirror: args.mirror.clone(),
        from_layout: None,
        to_layout: None,
        state: args.state.clone(),
        lock_timeout: None,
    };
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
    let digest = source.resolve(&target).await?;
    let reference = location.to_string();
    Ok((source, Named { reference, digest }))
}

fn line(verified: &Verified) -> String {
    let Verified {
        reference,
        digest,
        complete,
        deep,
        manifests,
        blobs,
        size,
    } = verified;
    let word = match (digest, complete, deep) {
        (None, ..) => return format!("{reference} cannot be looked at\n"),
        (_, false, _) => "is not complete",
        (_, true, true) => "is complete, every byte was read",
        (_, true, false) => "is complete",
    };
    format!(
        "{reference} {word}: {manifests} manifests, {blobs} blobs, {}\n",
        units::bytes(*size)
    )
}

/// Of many images those that are not as they should be, and how many are.
fn summary(report: &VerifyReport) -> String {
    let VerifyReport {
        images,
        extra,
        failures: _,
        wanted,
    } = report;
    let incomplete = images.iter().filter(|image| !image.complete);
    let mut lines: Vec<String> = incomplete.map(line).collect();
    let extra_lines = extra.iter();
    lines.extend(extra_lines.map(|tag| format!("{tag} is wanted by none of these mirrors\n")));
    let complete = images.iter().filter(|image| image.complete).count();
    let size: u64 = images.iter().map(|image| image.size).sum();
    lines.push(format!(
        "{complete} of {wanted} tags that are wanted are there and complete ({}), {} others are there\n",
        units::bytes(size),
        extra.len()
    ));
    lines.concat()
}
