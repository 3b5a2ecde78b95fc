// SPDX-License-Identifier: Apache-2.0

//! Asks the evidence beside one image what it proves.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::copy::{self, Engine, Found, Holds, Wanted};
use crate::oci::Digest;
use crate::plan::gates::{Scan, ScanError, Scanned, Testimony, Vouched};
use crate::signature::{Authority, Evidence, Rejection, Statement};
use crate::sync::sighting::Image;
use crate::sync::wishes::Run;

/// Most pieces of evidence of one manifest that are verified.
const EVIDENCE: usize = 256;
/// Manifests of evidence that are read at once for one image.
const READS: usize = 4;
/// What a testimony takes, about, and a finding of a scan.
const TESTIMONY_BYTES: usize = 1024;
const FINDING_BYTES: usize = 64;

/// One look at the evidence of an image.
pub(super) struct Inquiry<'a> {
    pub(super) engine: &'a Engine,
    pub(super) image: &'a Image,
    /// What was looked for in this round is not looked for again.
    pub(super) run: Run,
    pub(super) known: &'a mut Known,
    /// The manifests of the evidence that counted.
    pub(super) used: Vec<Digest>,
}

/// What is known of an image.
#[derive(Default)]
pub(super) struct Known {
    /// The testimonies that nothing has to be added to, by who is trusted.
    pub(super) settled: HashMap<Digest, Arc<Testimony>>,
    /// The images that would be copied, by platform or another name, once they were needed.
    images: Option<Arc<[(String, Digest)]>>,
    /// What was found beside a manifest.
    looks: HashMap<Digest, Look>,
}

/// What was found beside a manifest.
struct Look {
    run: Run,
    wanted: Wanted,
    found: Found,
    holds: HashMap<Digest, Holds>,
}

/// Why nothing can be said of an image.
#[derive(Debug)]
pub(super) enum Unproven {
    /// The source could not be read.
    Read(Box<copy::Error>),
    /// What was read is not understood.
    Unreadable(String),
}

/// Why nobody vouches for one manifest. The later ones are more telling.
enum Problem {
    /// There is no evidence.
    Nothing,
    /// There is more than is read, and what was read proves nothing.
    TooMuch,
    /// There is evidence that proves nothing.
    Rejected {
        authority: String,
        evidence: Digest,
        rejection: Rejection,
    },
}

// === impl Inquiry ===

impl Inquiry<'_> {
    /// What the authorities say of the image.
    pub(super) async fn run(
        &mut self,
        authorities: &[Authority],
        needs_scans: bool,
    ) -> Result<Testimony, Unproven> {
        self.used.clear();
        let wanted = if needs_scans {
            Wanted::SignaturesAndScans
        } else {
            Wanted::Signatures
        };
        let signature = self.find_signature(authorities, wanted).await?;
        let scans = match (&signature, wanted) {
            (Ok(_), Wanted::SignaturesAndScans) => self.find_scans(authorities, wanted).await?,
            _ => Vec::new(),
        };
        let used = std::mem::take(&mut self.used);
        Ok(Testimony {
            signature,
            scans,
            used,
        })
    }

    /// Who vouches for the image as a whole, or else for every image that would be copied.
    async fn find_signature(
        &mut self,
        authorities: &[Authority],
        wanted: Wanted,
    ) -> Result<Result<Vouched, String>, Unproven> {
        let root = self.image.digest.clone();
        let of_root = match self.vouch(&root, authorities, wanted).await? {
            Ok(vouched) => {
                self.used.push(vouched.evidence.clone());
                return Ok(Ok(vouched));
            }
            Err(problem) => problem,
        };
        let images = self.images().await?;
        let mut vouched = Vec::new();
        let mut unvouched = Vec::new();
        for (name, digest) in images.iter().filter(|(_, digest)| *digest != root) {
            match self.vouch(digest, authorities, wanted).await? {
                Ok(by) => {
                    self.used.push(by.evidence.clone());
                    vouched.push(by);
                }
                Err(problem) => unvouched.push((name, digest, problem)),
            }
        }
        let count = vouched.len();
        match (vouched.into_iter().next(), unvouched.into_iter().next()) {
            (Some(first), None) => Ok(Ok(first)),
            (Some(_), Some((name, digest, problem))) => {
                let total = images.len();
                let problem = problem.tell(digest)?;
                Ok(Err(format!(
                    "{count} of {total} images are signed, but not {name}: {problem}; or sign the index, {root}"
                )))
            }
            (None, Some((_, digest, problem))) if matches!(of_root, Problem::Nothing) => {
                Ok(Err(match problem {
                    Problem::Nothing => of_root.tell(&root)?,
                    Problem::TooMuch | Problem::Rejected { .. } => problem.tell(digest)?,
                }))
            }
            (None, _) => Ok(Err(of_root.tell(&root)?)),
        }
    }

    /// Who vouches for one manifest.
    async fn vouch(
        &mut self,
        subject: &Digest,
        authorities: &[Authority],
        wanted: Wanted,
    ) -> Result<Result<Vouched, Problem>, Unproven> {
        let look = self.look(subject, wanted).await?;
        let mut closest: Option<(&Authority, &Evidence, Rejection)> = None;
        for evidence in look.evidence() {
            for authority in authorities {
                let proof = authority.verify(subject, evidence);
                match proof.and_then(crate::signature::Proof::require_signature) {
                    Ok(proof) => {
                        return Ok(Ok(Vouched {
                            authority: proof.authority,
                            evidence: proof.evidence,
                        }));
                    }
                    Err(rejection) => {
                        let known = closest.as_ref();
                        if known.is_none_or(|(_, _, known)| *known < rejection) {
                            closest = Some((authority, evidence, rejection));
                        }
                    }
                }
            }
        }
        Ok(Err(match closest {
            _ if look.is_cut() => Problem::TooMuch,
            Some((authority, evidence, rejection)) => Problem::Rejected {
                authority: authority.name().to_owned(),
                evidence: evidence.digest().clone(),
                rejection,
            },
            None => Problem::Nothing,
        }))
    }

    /// The scans of each image that would be copied: its own, or else those of the image as a whole.
    async fn find_scans(
        &mut self,
        authorities: &[Authority],
        wanted: Wanted,
    ) -> Result<Vec<Scanned>, Unproven> {
        let root = self.image.digest.clone();
        let of_root = self.scans_of(&root, authorities, wanted).await?;
        let mut scanned = Vec::new();
        for (name, digest) in self.images().await?.iter() {
            let mut scans = Vec::new();
            if *digest != root {
                scans = self.scans_of(digest, authorities, wanted).await?;
            }
            if scans.is_empty() {
                scans.clone_from(&of_root);
            }
            scanned.push(Scanned {
                name: name.clone(),
                digest: digest.clone(),
                scans,
            });
        }
        Ok(scanned)
    }

    async fn scans_of(
        &mut self,
        subject: &Digest,
        authorities: &[Authority],
        wanted: Wanted,
    ) -> Result<Vec<Scan>, Unproven> {
        let look = self.look(subject, wanted).await?;
        let (mut scans, mut used) = (Vec::new(), Vec::new());
        for evidence in look.evidence() {
            let proofs = authorities.iter();
            let mut proofs = proofs.filter_map(|one| one.verify(subject, evidence).ok());
            let Some(proof) = proofs.next() else { continue };
            if let Statement::Attestation {
                predicate_type,
                predicate,
            } = &proof.statement
                && Scan::is_scan(predicate_type)
            {
                let scan = Scan::read(predicate_type, predicate);
                used.push(proof.evidence.clone());
                scans.push(scan.map_err(|error| Unproven::scan(&proof.evidence, &error))?);
            }
        }
        if scans.is_empty() && look.is_cut() {
            return Err(Unproven::too_much(subject));
        }
        self.used.extend(used);
        Ok(scans)
    }

    /// The images that would be copied.
    async fn images(&mut self) -> Result<Arc<[(String, Digest)]>, Unproven> {
        if let Some(images) = &self.known.images {
            return Ok(images.clone());
        }
        let Image {
            origin,
            digest,
            shape,
            ..
        } = self.image;
        let images = self.engine.images(origin, digest, &shape.platforms).await;
        let images = images.map_err(Unproven::read)?.into_iter();
        let images: Arc<[(String, Digest)]> = images
            .map(|(platform, digest)| {
                let name = platform.map(|platform| platform.to_string());
                (name.unwrap_or_else(|| "the image".to_owned()), digest)
            })
            .collect();
        self.known.images = Some(images.clone());
        Ok(images)
    }

    /// What stands beside a manifest. Only what is new is read.
    async fn look(&mut self, subject: &Digest, wanted: Wanted) -> Result<&Look, Unproven> {
        let known = self.known.looks.get(subject);
        let is_current = known.is_some_and(|look| look.run == self.run && look.wanted >= wanted);
        if !is_current {
            let (engine, origin) = (self.engine, &self.image.origin);
            let found = engine.find_evidence(origin, subject, wanted).await;
            let found = found.map_err(Unproven::read)?;
            let known = self.known.looks.remove(subject);
            let mut known = known.map(|look| look.holds).unwrap_or_default();
            let reads: Vec<_> = found
                .manifests
                .iter()
                .map(|digest| {
                    let known = known.remove(digest);
                    async move {
                        let holds = match known {
                            Some(known) => known,
                            None => engine.read_evidence(origin, digest).await?,
                        };
                        Ok((digest.clone(), holds))
                    }
                })
                .collect();
            let reads = stream::iter(reads).buffered(READS);
            let holds = reads.try_collect().await.map_err(Unproven::read)?;
            let look = Look {
                run: self.run,
                wanted,
                holds,
                found,
            };
            self.known.looks.insert(subject.clone(), look);
        }
        let look = self.known.looks.get(subject);
        look.ok_or_else(|| Unproven::too_much(subject))
    }
}

// === impl Problem ===

impl Problem {
    /// What is wrong and what to do; a check that failed refuses nothing.
    fn tell(self, subject: &Digest) -> Result<String, Unproven> {
        match self {
            Self::Nothing => Ok(format!(
                "no signature found: sign {subject} with cosign sign, or mirror the image without this policy"
            )),
            Self::TooMuch => Err(Unproven::too_much(subject)),
            Self::Rejected {
                authority,
                evidence,
                rejection,
            } => {
                let text = format!("authority {authority:?}: evidence {evidence} {rejection}");
                if rejection.is_unreadable() {
                    return Err(Unproven::Unreadable(text));
                }
                Ok(text)
            }
        }
    }
}

// === impl Unproven ===

impl Unproven {
    fn read(error: copy::Error) -> Self {
        Self::Read(Box::new(error))
    }

    fn scan(evidence: &Digest, error: &ScanError) -> Self {
        Self::Unreadable(format!("scan {evidence}: {error}"))
    }

    fn too_much(subject: &Digest) -> Self {
        Self::Unreadable(format!(
            "there is more or larger evidence beside {subject} than is read: remove what is not needed"
        ))
    }
}

// === impl Known ===

impl Known {
    /// Everything that was asked for is proven: what proves it is not needed any more.
    pub(super) fn forget_evidence(&mut self) {
        self.looks = HashMap::new();
    }

    /// The bytes that it takes, about.
    pub(super) fn weigh(&self) -> usize {
        let Self {
            settled,
            images,
            looks,
        } = self;
        let findings = settled.values().flat_map(|testimony| &testimony.scans);
        let findings = findings.flat_map(|scanned| &scanned.scans);
        let findings: usize = findings.map(|scan| scan.findings.len()).sum();
        let images = images.as_ref().map_or(0, |images| images.len());
        let evidence = looks.values().flat_map(|look| look.holds.values());
        let evidence = evidence.flat_map(|holds| &holds.evidence);
        let evidence: usize = evidence.map(Evidence::size).sum();
        (settled.len() + images + looks.len()) * TESTIMONY_BYTES
            + findings * FINDING_BYTES
            + evidence
    }
}

// === impl Look ===

impl Look {
    /// The evidence, in the order in which it was found.
    fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        let manifests = self.found.manifests.iter();
        let holds = manifests.filter_map(|digest| self.holds.get(digest));
        let evidence = holds.flat_map(|holds| &holds.evidence);
        evidence.take(EVIDENCE)
    }

    /// Whether there is more than was looked at.
    fn is_cut(&self) -> bool {
        let mut holds = self.holds.values();
        let count: usize = self.holds.values().map(|one| one.evidence.len()).sum();
        self.found.is_cut || count > EVIDENCE || holds.any(|one| one.is_cut)
    }
}
