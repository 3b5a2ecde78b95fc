// SPDX-License-Identifier: Apache-2.0

//! `transship bundle verify`.

use super::ends::failed;
use super::signing;
use super::view::{BundleReport, parts};
use crate::cli::args::{OutputArgs, VerifyBundleArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::units;
use crate::layout::{BundleCheck, BundleFile};
use crate::runtime::shutdown::until_signal;

/// Runs `transship bundle verify`.
pub(super) async fn run(args: &VerifyBundleArgs, output: &Output) -> Result<Exit, Error> {
    let VerifyBundleArgs {
        file,
        signed_by,
        output: OutputArgs { output: format },
    } = args;
    let subject = file.display().to_string();
    let checked = until_signal(async {
        let bundle = BundleFile::open(file.clone()).await.map_err(failed)?;
        let files = bundle.files();
        let unproven = match signing::require(&bundle, file, signed_by).await {
            Err(error @ Error::Unproven { .. }) => Some(error.as_failure(&subject)),
            required => {
                required?;
                None
            }
        };
        let check = bundle.check().await.map_err(failed)?;
        Ok::<_, Error>((files, unproven, check))
    });
    let Some(checked) = checked.await else {
        return Ok(Exit::Interrupted);
    };
    let (files, unproven, check) = checked?;
    let signed = signed_by.key.as_ref().map(|_| unproven.is_none());
    let BundleCheck {
        contents,
        bytes,
        faults,
    } = check;
    let faults = faults.into_iter();
    let failures = faults.map(|fault| failed(fault).as_failure(&subject));
    let report = BundleReport {
        files: parts(files),
        contents,
        size: bytes,
        signed,
        failures: unproven.into_iter().chain(failures).collect(),
    };
    output.print_value(*format, &report, |report, _| {
        let size = units::bytes(report.size);
        let word = match (report.failures.len(), report.signed) {
            (0, Some(true)) => "is whole, and signed by that key",
            (0, _) => "is whole",
            (1, Some(false)) => "is not signed by that key",
            _ => "is damaged",
        };
        format!("{subject} {word}: {contents} manifests and blobs, {size}, every byte was read\n")
    })?;
    Ok(output.fail_all(&report.failures))
}
