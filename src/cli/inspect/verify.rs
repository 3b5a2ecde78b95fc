// SPDX-License-Identifier: Apache-2.0

//! `transship inspect --verify`: what stands beside an image, and what each piece of it proves.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::super::args::VerifyArgs;
use super::super::error::Error;
use super::super::image::Named;
use super::super::table::{Table, align, one_line};
use crate::copy::{Engine, Origin, Progress, Wanted};
use crate::oci::{Digest, Platform};
use crate::plan::Platforms;
use crate::policy::TextGlob;
use crate::signature::{Authority, AuthorityError, Evidence, Proof, Rejection, Statement};

/// What stands beside an image.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct VerifiedView {
    /// Registry and repository.
    name: String,
    /// The tag or digest that was asked for.
    reference: String,
    digest: Digest,
    /// Whether somebody who is trusted signed the image, or each of its images.
    verified: bool,
    evidence: Vec<EvidenceView>,
}

/// One piece of evidence.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EvidenceView {
    /// What it is about: the index, the image, or a platform.
    about: String,
    subject: Digest,
    /// The manifest that carries it.
    digest: Digest,
    /// What it proves; nothing where it proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    proves: Option<String>,
    /// Who signed it, or why it proves nothing.
    detail: String,
}

/// Verifies an image by the arguments.
pub(super) async fn verify(args: &VerifyArgs, image: &Named) -> Result<VerifiedView, Error> {
    let authorities = authorities(args)?;
    let Named { source, target } = image;
    let origin = Origin {
        endpoint: source.endpoint.clone(),
        repository: source.repository.clone(),
    };
    let name = source.name.clone();
    let digest = source.resolve(target).await?;
    let engine = Engine::new(Progress::none());
    let images = engine.images(&origin, &digest, &Platforms::All).await;
    let images = images.map_err(|error| Error::Image(error.to_string()))?;
    let mut subjects = vec![(name_of_root(&images, &digest), digest.clone())];
    for (platform, image) in images {
        let name = platform
            .as_ref()
            .map_or("image".to_owned(), Platform::to_string);
        if !subjects.iter().any(|(_, known)| *known == image) {
            subjects.push((name, image));
        }
    }
    let mut evidence = Vec::new();
    let mut signed = Vec::new();
    for (about, subject) in &subjects {
        let found = read(&engine, &origin, subject).await?;
        let views = found
            .iter()
            .map(|evidence| judge(&authorities, about, subject, evidence));
        let views: Vec<(EvidenceView, bool)> = views.collect();
        signed.push(views.iter().any(|(_, is_signature)| *is_signature));
        evidence.extend(views.into_iter().map(|(view, _)| view));
    }
    let verified = match signed.split_first() {
        Some((root, [])) => *root,
        Some((root, images)) => *root || images.iter().all(|image| *image),
        None => false,
    };
    Ok(VerifiedView {
        name,
        reference: target.to_string(),
        digest,
        verified,
        evidence,
    })
}

fn name_of_root(images: &[(Option<Platform>, Digest)], root: &Digest) -> String {
    let is_image = images.iter().any(|(_, image)| image == root);
    if is_image { "image" } else { "index" }.to_owned()
}

async fn read(engine: &Engine, origin: &Origin, subject: &Digest) -> Result<Vec<Evidence>, Error> {
    let failed = |error: crate::copy::Error| Error::Image(error.to_string());
    let found = engine
        .find_evidence(origin, subject, Wanted::Everything)
        .await
        .map_err(failed)?;
    let mut evidence = Vec::new();
    for digest in &found.manifests {
        let holds = engine.read_evidence(origin, digest).await.map_err(failed)?;
        evidence.extend(holds.evidence);
    }
    Ok(evidence)
}

/// What one piece of evidence proves by the first who vouches for it, and whether it is a signature.
fn judge(
    authorities: &[Authority],
    about: &str,
    subject: &Digest,
    evidence: &Evidence,
) -> (EvidenceView, bool) {
    let mut closest: Option<Rejection> = None;
    let view = |proves, detail| EvidenceView {
        about: about.to_owned(),
        subject: subject.clone(),
        digest: evidence.digest().clone(),
        proves,
        detail,
    };
    for authority in authorities {
        match authority.verify(subject, evidence) {
            Ok(proof) => {
                let is_signature = matches!(proof.statement, Statement::Signature);
                return (view(Some(proves(&proof)), signer(&proof)), is_signature);
            }
            Err(rejection) => closest = closest.max(Some(rejection)),
        }
    }
    let detail = closest.map_or_else(String::new, |rejection| rejection.to_string());
    (view(None, detail), false)
}

fn proves(proof: &Proof) -> String {
    match &proof.statement {
        Statement::Signature => "signature".to_owned(),
        Statement::Attestation { predicate_type, .. } => format!("attestation {predicate_type}"),
    }
}

fn signer(proof: &Proof) -> String {
    match &proof.identity {
        Some(identity) => format!("signed by {identity}"),
        None => format!("signed with {}", proof.authority),
    }
}

// === authorities ===

fn authorities(args: &VerifyArgs) -> Result<Vec<Authority>, Error> {
    let VerifyArgs {
        verify: _,
        key,
        issuer,
        subject,
        trusted_root,
    } = args;
    let mut authorities = Vec::new();
    for path in key {
        let name = path.display().to_string();
        let authority = Authority::key(&name, &read_file(path)?);
        authorities.push(authority.map_err(|error| unusable(path, &error))?);
    }
    if let Some((issuer, subject)) = issuer.as_ref().zip(subject.as_ref()) {
        let root = trusted_root.as_deref().map(read_file).transpose()?;
        let subject = TextGlob::new(subject);
        let authority = Authority::keyless("identity", issuer, &subject, root.as_deref());
        authorities.push(authority.map_err(|error| match trusted_root {
            Some(path) => unusable(path, &error),
            None => Error::Usage(format!("--issuer and --subject: {error}")),
        })?);
    }
    if authorities.is_empty() {
        return Err(Error::Usage(
            "--verify needs to know who is trusted: add --key FILE, or --issuer and --subject"
                .to_owned(),
        ));
    }
    Ok(authorities)
}

fn read_file(path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    let path: PathBuf = path.as_ref().to_owned();
    std::fs::read(&path)
        .map_err(|error| Error::Usage(format!("cannot read {}: {error}", path.display())))
}

fn unusable(path: &Path, error: &AuthorityError) -> Error {
    Error::Usage(format!("{} {error}", path.display()))
}

// === rendering ===

impl VerifiedView {
    /// Whether somebody who is trusted signed the image.
    pub(super) fn is_verified(&self) -> bool {
        self.verified
    }

    /// The view as text.
    pub(super) fn text(&self) -> String {
        let Self {
            name,
            reference,
            digest,
            verified,
            evidence,
        } = self;
        let verdict = match (verified, evidence.is_empty()) {
            (true, _) => "yes",
            (false, true) => "no, no signature found",
            (false, false) => "no",
        };
        let head = [
            ("Name", name.clone()),
            ("Reference", one_line(reference)),
            ("Digest", digest.to_string()),
            ("Verified", verdict.to_owned()),
        ];
        let head: Vec<String> = head.map(|(key, value)| format!("{key}:\t{value}")).into();
        let mut text = align(&head.join("\n"));
        if !evidence.is_empty() {
            let mut table = Table::new(["ABOUT", "EVIDENCE", "PROVES", "WHY"]);
            for one in evidence {
                table.row([
                    one.about.clone(),
                    one.digest.to_string(),
                    one.proves.clone().unwrap_or_else(|| "nothing".to_owned()),
                    one.detail.clone(),
                ]);
            }
            text.push('\n');
            text.push_str(&table.to_string());
        }
        text
    }
}
