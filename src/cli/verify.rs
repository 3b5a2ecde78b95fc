//! `transship verify`: whether an image is complete, and with `--deep` whether every byte of it is what its digest says.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use serde::Serialize;

use super::address::image_name;
use super::args::{OutputArgs, VerifyImageArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image::{Named, Source};
use super::location::Location;
use super::open::open;
use super::output::{Document, Output};
use super::trust::Trust;
use super::units;
use crate::api::Reason;
use crate::copy::endpoint::{self, Referrers};
use crate::oci::{Descriptor, Digest, Manifest, TagOrDigest, limits};
use crate::plan::report::Failure;
use crate::runtime::shutdown::until_signal;

/// Blobs that are looked at together. What a registry bears is decided by its own limits.
const LOOKS: usize = 8;

/// What machines read.
#[derive(Debug, Serialize)]
struct VerifyReport {
    images: Vec<Verified>,
    failures: Vec<Failure>,
}

/// What an image is made of, and whether all of it is there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    /// Whether nothing is missing or damaged.
    complete: bool,
    /// Whether every byte was read.
    deep: bool,
    manifests: usize,
    blobs: usize,
    /// Bytes of the blobs.
    size: u64,
}

/// Everything that an image leads to.
#[derive(Default)]
struct Reachable {
    manifests: BTreeSet<Digest>,
    blobs: BTreeMap<Digest, Descriptor>,
    faults: Vec<Fault>,
}

/// Something that is missing or damaged.
struct Fault {
    subject: String,
    reason: Reason,
    message: String,
}

impl Document for VerifyReport {
    const KIND: &'static str = "VerifyReport";
}

/// Runs `transship verify`.
pub(super) async fn run(args: &VerifyImageArgs, output: &Output) -> Result<Exit, Error> {
    let VerifyImageArgs {
        references,
        deep,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let connector = Connector::new(Trust::read(registry)?);
    let looked = until_signal(async {
        let mut report = VerifyReport {
            images: Vec::new(),
            failures: Vec::new(),
        };
        for location in references {
            let (verified, faults) = verify(&connector, location, *deep).await;
            report.images.push(verified);
            report
                .failures
                .extend(faults.into_iter().map(Fault::into_failure));
        }
        report
    });
    let Some(report) = looked.await else {
        return Ok(Exit::Interrupted);
    };
    output.print_value(*format, &report, |report, _| {
        report.images.iter().map(line).collect()
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

/// Looks at everything that an image leads to.
async fn verify(connector: &Connector, location: &Location, deep: bool) -> (Verified, Vec<Fault>) {
    let mut verified = Verified {
        reference: location.to_string(),
        digest: None,
        complete: false,
        deep,
        manifests: 0,
        blobs: 0,
        size: 0,
    };
    let found = async {
        let Named { source, target } = open(connector, location).await?;
        let digest = source.resolve(&target).await?;
        Ok::<_, Error>((source, digest))
    };
    let (source, digest) = match found.await {
        Ok(found) => found,
        Err(error) => {
            let failure = error.as_failure(&location.to_string());
            return (verified, vec![Fault::from(failure)]);
        }
    };
    let reachable = walk(&source, &digest).await;
    let mut faults = reachable.faults;
    let blobs = reachable
        .blobs
        .values()
        .filter(|blob| !blob.media_type.is_foreign_layer());
    let checks = stream::iter(blobs).map(|blob| check(&source, blob, deep));
    faults.extend(
        checks
            .buffer_unordered(LOOKS)
            .filter_map(async |fault| fault)
            .collect::<Vec<_>>()
            .await,
    );
    faults.sort_by(|left, right| left.subject.cmp(&right.subject));
    verified.digest = Some(digest);
    verified.complete = faults.is_empty();
    verified.manifests = reachable.manifests.len();
    verified.blobs = reachable.blobs.len();
    verified.size = reachable.blobs.values().map(|blob| blob.size).sum();
    (verified, faults)
}

/// Reads the manifests below a digest, and of what refers to each of them. Each is checked against its digest.
async fn walk(source: &Source, root: &Digest) -> Reachable {
    let mut found = Reachable::default();
    let mut pending = vec![root.clone()];
    found.manifests.insert(root.clone());
    while let Some(digest) = pending.pop() {
        let name = image_name(&source.name, &digest.clone().into());
        let target = TagOrDigest::Digest(digest.clone());
        let manifest = match source
            .endpoint
            .fetch_manifest(&source.repository, &target)
            .await
        {
            Ok(manifest) => manifest,
            Err(error) => {
                found.faults.push(Fault::of(&name, &error));
                continue;
            }
        };
        let mut below: Vec<Digest> = children(&manifest);
        match source.endpoint.referrers(&source.repository, &digest).await {
            Ok(Referrers::Listed(list)) => below.extend(list.into_iter().map(|entry| entry.digest)),
            Ok(Referrers::Unsupported) => {}
            Err(error) => found.faults.push(Fault::of(&name, &error)),
        }
        for blob in manifest.blobs() {
            found.blobs.insert(blob.digest.clone(), blob.clone());
        }
        for child in below {
            if found.manifests.len() >= limits::GRAPH_NODES {
                found.faults.push(Fault {
                    subject: name.clone(),
                    reason: Reason::CopyFailed,
                    message: format!("more than {} manifests belong to it", limits::GRAPH_NODES),
                });
                return found;
            }
            if found.manifests.insert(child.clone()) {
                pending.push(child);
            }
        }
    }
    found
}

fn children(manifest: &Manifest) -> Vec<Digest> {
    let entries = manifest.entries().iter();
    entries.map(|entry| entry.digest.clone()).collect()
}

/// What is wrong with a blob: that it is not there, or deep that its bytes are others.
async fn check(source: &Source, blob: &Descriptor, deep: bool) -> Option<Fault> {
    let name = image_name(&source.name, &blob.digest.clone().into());
    if !deep {
        return match source.endpoint.proves_blob(&source.repository, blob).await {
            Ok(true) => None,
            Ok(false) => Some(Fault {
                subject: name,
                reason: Reason::NotFound,
                message: "the blob is missing".to_owned(),
            }),
            Err(error) => Some(Fault::of(&name, &error)),
        };
    }
    match hash(source, blob).await {
        Ok(digest) if digest == blob.digest => None,
        Ok(digest) => Some(Fault {
            subject: name,
            reason: Reason::DigestMismatch,
            message: format!("the bytes of the blob are others: they have the digest {digest}"),
        }),
        Err(error) => Some(Fault::of(&name, &error)),
    }
}

/// The digest of what is there, as long as it is no longer than it should be.
async fn hash(source: &Source, blob: &Descriptor) -> Result<Digest, endpoint::Error> {
    let mut hasher = blob.digest.algorithm().hasher();
    let mut body = source
        .endpoint
        .fetch_blob(&source.repository, blob, 0)
        .await?;
    let mut read = 0;
    while let Some(frame) = body.next().await {
        let frame = frame?;
        hasher.update(&frame);
        read += frame.len() as u64;
        if read > blob.size {
            break;
        }
    }
    Ok(hasher.finish())
}

// === impl Fault ===

impl Fault {
    fn of(subject: &str, error: &endpoint::Error) -> Self {
        Self {
            subject: subject.to_owned(),
            reason: error.reason(),
            message: error.to_string(),
        }
    }

    fn into_failure(self) -> Failure {
        let Self {
            subject,
            reason,
            message,
        } = self;
        Failure {
            subject,
            reason,
            message,
            next_attempt_time: None,
            is_of_tag: false,
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self {
            subject: failure.subject,
            reason: failure.reason,
            message: failure.message,
        }
    }
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
