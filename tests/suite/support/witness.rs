// SPDX-License-Identifier: Apache-2.0

//! The independent checker: walks what a tag names down to the last byte.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use futures::{StreamExt as _, stream};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

use super::client::{Client, Unanswered};
use super::content::{FoundBy, Image};
use super::digest::{fallback_tag, matches, sha256};

/// How many blobs are read at a time.
const CONCURRENCY: usize = 4;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The repository it was found in.
    pub repository: String,
    /// The tag from which the walk came to it.
    pub tag: String,
    /// What is wrong.
    pub defect: Defect,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A manifest, named by tag or digest, is not served.
    ManifestMissing(String),
    /// A config or layer is not served, or not to its end.
    BlobMissing(String),
    /// Bytes do not have the digest they are served under.
    Corrupt(String),
    /// A manifest does not parse.
    Malformed(String),
    /// A tag names another digest than it should: the right one, and the one there is.
    WrongDigest(String, String),
    /// A referrer of the first digest, the second, is not found.
    ReferrerMissing(String, String),
    /// There was no answer.
    Unanswered(String),
}

/// Walks the content of one repository. What was found good once is not read again.
pub struct Witness {
    client: Client,
    repository: String,
    sparse: bool,
    expected: HashMap<String, Vec<(FoundBy, String)>>,
    good: HashSet<String>,
}

/// What one walk has seen.
#[derive(Default)]
struct Walk {
    manifests: BTreeSet<String>,
    referrers: BTreeSet<(String, String)>,
    defects: Vec<Defect>,
}

impl Witness {
    /// A witness for a repository.
    pub fn new(client: Client, repository: &str) -> Self {
        Self {
            client,
            repository: repository.to_owned(),
            sparse: false,
            expected: HashMap::new(),
            good: HashSet::new(),
        }
    }

    /// Children of an index may be missing.
    #[must_use]
    pub fn sparse(mut self) -> Self {
        self.sparse = true;
        self
    }

    /// Where a manifest of this image is reached, its referrers have to be found too.
    #[must_use]
    pub fn expecting(mut self, image: &Image) -> Self {
        for referrer in &image.referrers {
            let found = (referrer.found_by.clone(), referrer.manifest.digest.clone());
            self.expected
                .entry(referrer.subject.clone())
                .or_default()
                .push(found);
        }
        self
    }

    /// Checks every tag of the repository.
    pub async fn check_all(&mut self) -> Vec<Problem> {
        let tags = match self.client.tags(&self.repository).await {
            Ok(tags) => tags,
            Err(error) => return vec![self.problem("", Defect::Unanswered(error.to_string()))],
        };
        let mut problems = Vec::new();
        for tag in tags {
            problems.extend(self.check(&tag).await);
        }
        problems
    }

    /// Checks one tag: its manifest, everything below it, and its referrers.
    pub async fn check(&mut self, tag: &str) -> Vec<Problem> {
        let walk = self.walk(tag).await;
        walk.defects
            .into_iter()
            .map(|defect| self.problem(tag, defect))
            .collect()
    }

    /// Checks one tag, and that it has the digest and the referrers that another repository has.
    pub async fn check_against(
        &mut self,
        tag: &str,
        source: &mut Self,
        source_tag: &str,
    ) -> Vec<Problem> {
        let there = source.walk(source_tag).await;
        let here = self.walk(tag).await;
        let mut defects = here.defects;
        match (source.digest(source_tag).await, self.digest(tag).await) {
            (Ok(right), Ok(found)) if right != found => {
                defects.push(Defect::WrongDigest(right, found));
            }
            (Err(defect), _) => defects.push(defect),
            (Ok(_), _) => {}
        }
        let missing = there.referrers.difference(&here.referrers);
        defects.extend(
            missing
                .map(|(subject, digest)| Defect::ReferrerMissing(subject.clone(), digest.clone())),
        );
        defects
            .into_iter()
            .map(|defect| self.problem(tag, defect))
            .collect()
    }

    /// The digest of what a tag names now.
    pub async fn digest(&self, reference: &str) -> Result<String, Defect> {
        let found = self
            .client
            .resolve_digest(&self.repository, reference)
            .await?;
        found.ok_or_else(|| Defect::ManifestMissing(reference.to_owned()))
    }

    /// The client it asks.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The repository it watches.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    pub(super) fn problem(&self, tag: &str, defect: Defect) -> Problem {
        Problem {
            repository: self.repository.clone(),
            tag: tag.to_owned(),
            defect,
        }
    }

    async fn walk(&mut self, reference: &str) -> Walk {
        let mut walk = Walk::default();
        let mut pending = vec![(reference.to_owned(), false)];
        while let Some((reference, may_be_absent)) = pending.pop() {
            match self.manifest(&reference).await {
                Ok((digest, document)) if walk.manifests.insert(digest.clone()) => {
                    let may_be_absent = self.sparse;
                    pending.extend(
                        named(&document, "manifests").map(|digest| (digest, may_be_absent)),
                    );
                    walk.defects.extend(self.check_blobs(&document).await);
                    let found = self.check_referrers(&digest, &mut walk).await;
                    pending.extend(found.into_iter().map(|digest| (digest, false)));
                }
                Ok(_) => {}
                Err(Defect::ManifestMissing(_)) if may_be_absent => {}
                Err(defect) => walk.defects.push(defect),
            }
        }
        walk
    }

    async fn manifest(&self, reference: &str) -> Result<(String, Value), Defect> {
        let answer = self
            .client
            .get(&format!("/v2/{}/manifests/{reference}", self.repository))
            .await?;
        match answer.status {
            200 => {}
            status @ 500.. => return Err(Defect::Unanswered(format!("{reference}: {status}"))),
            _ => return Err(Defect::ManifestMissing(reference.to_owned())),
        }
        if reference.contains(':') && !matches(reference, &answer.body) {
            return Err(Defect::Corrupt(reference.to_owned()));
        }
        let digest = if reference.contains(':') {
            reference.to_owned()
        } else {
            sha256(&answer.body)
        };
        let document =
            serde_json::from_slice(&answer.body).map_err(|_| Defect::Malformed(digest.clone()))?;
        Ok((digest, document))
    }

    async fn check_blobs(&mut self, document: &Value) -> Vec<Defect> {
        let mut digests: BTreeSet<String> = named(document, "layers").collect();
        digests.extend(document["config"]["digest"].as_str().map(str::to_owned));
        digests.retain(|digest| !self.good.contains(digest));
        let checks = digests.into_iter().map(|digest| async {
            let outcome = self.check_blob(&digest).await;
            (digest, outcome)
        });
        let outcomes: Vec<_> = stream::iter(checks)
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let mut defects = Vec::new();
        for (digest, outcome) in outcomes {
            match outcome {
                Ok(()) => drop(self.good.insert(digest)),
                Err(defect) => defects.push(defect),
            }
        }
        defects
    }

    async fn check_blob(&self, digest: &str) -> Result<(), Defect> {
        let (mut sha256, mut sha512) = (Sha256::new(), Sha512::new());
        let is_sha512 = digest.starts_with("sha512:");
        let path = format!("/v2/{}/blobs/{digest}", self.repository);
        let hash = |bytes: &[u8]| {
            if is_sha512 {
                sha512.update(bytes);
            } else {
                sha256.update(bytes);
            }
        };
        if !matches!(self.client.stream(&path, hash).await, Ok(200)) {
            return Err(Defect::BlobMissing(digest.to_owned()));
        }
        let hex = if is_sha512 {
            hex::encode(sha512.finalize())
        } else {
            hex::encode(sha256.finalize())
        };
        if digest.ends_with(&format!(":{hex}")) {
            Ok(())
        } else {
            Err(Defect::Corrupt(digest.to_owned()))
        }
    }

    /// The referrers of a manifest by either scheme; notes those that are expected and not there.
    async fn check_referrers(&self, subject: &str, walk: &mut Walk) -> Vec<String> {
        let found = match self.referrers(subject).await {
            Ok(found) => found,
            Err(defect) => {
                walk.defects.push(defect);
                Vec::new()
            }
        };
        for (found_by, digest) in self.expected.get(subject).into_iter().flatten() {
            let is_there = match found_by {
                FoundBy::Subject => found.contains(digest),
                FoundBy::Tag(tag) => self.digest(tag).await.as_ref() == Ok(digest),
            };
            if !is_there {
                walk.defects
                    .push(Defect::ReferrerMissing(subject.to_owned(), digest.clone()));
            }
        }
        walk.referrers.extend(
            found
                .iter()
                .map(|digest| (subject.to_owned(), digest.clone())),
        );
        found
    }

    async fn referrers(&self, subject: &str) -> Result<Vec<String>, Defect> {
        let repository = &self.repository;
        let api = self
            .client
            .get(&format!("/v2/{repository}/referrers/{subject}"))
            .await?;
        let list = match api.status {
            200 => api,
            _ => {
                self.client
                    .get(&format!(
                        "/v2/{repository}/manifests/{}",
                        fallback_tag(subject)
                    ))
                    .await?
            }
        };
        if list.status != 200 {
            return Ok(Vec::new());
        }
        let index = list
            .json()
            .map_err(|_| Defect::Malformed(fallback_tag(subject)))?;
        Ok(named(&index, "manifests").collect())
    }
}

impl Problem {
    /// Whether the registry could not tell, which says nothing of the content.
    pub fn is_failure(&self) -> bool {
        matches!(self.defect, Defect::Unanswered(_))
    }
}

impl From<Unanswered> for Defect {
    fn from(error: Unanswered) -> Self {
        Self::Unanswered(error.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {:?}", self.repository, self.tag, self.defect)
    }
}

/// The digests in a list of descriptors, without those of layers that registries need not have.
fn named(document: &Value, field: &str) -> impl Iterator<Item = String> + use<> {
    let descriptors = document[field].as_array().cloned().unwrap_or_default();
    descriptors.into_iter().filter_map(|descriptor| {
        let media_type = descriptor["mediaType"].as_str().unwrap_or_default();
        let is_foreign = media_type.contains("foreign") || media_type.contains("nondistributable");
        descriptor["digest"]
            .as_str()
            .filter(|_| !is_foreign)
            .map(str::to_owned)
    })
}
