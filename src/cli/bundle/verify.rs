// SPDX-License-Identifier: Apache-2.0

//! `transship bundle verify`.

use super::ends::failed;
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
        output: OutputArgs { output: format },
    } = args;
    let subject = file.display().to_string();
    let checked = until_signal(async {
        let bundle = BundleFile::open(file.clone()).await?;
        let files = bundle.files();
        Ok((files, bundle.check().await?))
    });
    let Some(checked) = checked.await else {
        return Ok(Exit::Interrupted);
    };
    let (files, check) = checked.map_err(failed)?;
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
        failures: failures.collect(),
    };
    output.print_value(*format, &report, |report, _| {
        let word = if report.failures.is_empty() {
            "is whole"
        } else {
            "is damaged"
        };
        let size = units::bytes(report.size);
        format!("{subject} {word}: {contents} manifests and blobs, {size}, every byte was read\n")
    })?;
    Ok(output.fail_all(&report.failures))
}
