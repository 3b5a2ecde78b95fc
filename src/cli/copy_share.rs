// SPDX-License-Identifier: Apache-2.0

//! `transship copy-share`: a pod of a Job that the controller made.

use std::path::Path;

use super::args::CopyShareArgs;
use super::error::Error;
use super::exit::Exit;
use super::trust;
use crate::controller::{PartEnd, PartSettings, run_part};
use crate::plan::Shares;
use crate::runtime::shutdown;

/// Copies the share, and leaves what came of it where Kubernetes finds it.
pub(super) async fn run(args: &CopyShareArgs) -> Result<Exit, Error> {
    let CopyShareArgs {
        mirror,
        kubeconfig,
        namespace,
        mirror_uid,
        generation,
        job_uid,
        index,
        bounds,
        ca_pem,
        termination_log,
        max_read_memory,
        max_tags_per_mirror,
        boundaries,
    } = args;
    let share = Shares::beginning_with(bounds.clone()).and_then(|shares| shares.share(*index));
    let share = share
        .ok_or_else(|| Error::Usage(format!("--bounds: there is no share {index} between them")))?;
    let ca_pem = match (ca_pem, &boundaries.ca_file) {
        (Some(pem), _) => Some(pem.clone().into_bytes()),
        (None, Some(file)) => Some(trust::read_authorities(file)?),
        (None, None) => None,
    };
    let settings = PartSettings {
        kubeconfig: kubeconfig.clone(),
        namespace: namespace.to_string(),
        mirror: mirror.to_string(),
        mirror_uid: mirror_uid.clone(),
        generation: *generation,
        job_uid: job_uid.clone(),
        share,
        boundaries: boundaries.boundaries(),
        trusted_realms: boundaries.realms(),
        identities: trust::identities(ca_pem.as_deref())?,
        identity_namespaces: boundaries.identity_namespaces(),
        read_memory: max_read_memory.as_ref().map(trust::bytes),
        tags_per_mirror: max_tags_per_mirror.get(),
        ca_pem,
    };
    let (told, exit) = match run_part(settings, shutdown::on_signal()).await? {
        PartEnd::Done(told) => (told, Exit::Success),
        PartEnd::Failed(told) => (told, Exit::PartFailed),
        PartEnd::Over => (String::new(), Exit::PartOver),
        PartEnd::Interrupted => (String::new(), Exit::Interrupted),
    };
    leave(termination_log, &told);
    Ok(exit)
}

/// Outside of a pod there is no such file.
fn leave(path: &Path, told: &str) {
    if let Err(error) = std::fs::write(path, told) {
        tracing::warn!(%error, path = %path.display(), "what came of it cannot be left");
    }
}
