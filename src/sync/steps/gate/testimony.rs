// SPDX-License-Identifier: Apache-2.0

//! What the authorities of policies say of images, found out once for each digest.
//!
//! What was proven stays proven: a digest never means anything else. What was not is looked for again in
//! each round, and only what is new is read then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::inquiry::{Inquiry, Known, Unproven};
use crate::copy::{Engine, Place};
use crate::oci::{Algorithm, Digest, Repository};
use crate::plan::Policy;
use crate::plan::gates::{Gates, Testimony};
use crate::signature::Authority;
use crate::sync::sighting::Image;
use crate::sync::wishes::Run;

/// Bytes of evidence and testimonies that are remembered, about.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The testimonies that are known.
#[derive(Default)]
pub(in crate::sync) struct Testimonies(Mutex<Cache>);

#[derive(Default)]
struct Cache {
    cells: HashMap<Key, Cell>,
    bytes: usize,
}

/// Which images of which digest, as one credential sees them.
type Key = (Place, Repository, Digest, String);

/// What is known of an image. Whoever asks first finds it out; the others wait for it.
type Cell = Arc<tokio::sync::Mutex<Known>>;

/// A policy and those whom it trusts.
pub(super) struct Trust<'a> {
    pub(super) policy: &'a Policy,
    pub(super) gates: &'a Gates,
    pub(super) authorities: &'a [Authority],
}

// === impl Testimonies ===

impl Testimonies {
    /// What the authorities of these policies say of an image, in the order of the policies. What was
    /// looked for in this round is not looked for again.
    pub(super) async fn of(
        &self,
        engine: &Engine,
        image: &Image,
        trusts: &[Trust<'_>],
        run: Run,
    ) -> Result<Vec<Arc<Testimony>>, Unproven> {
        let key = (
            image.origin.endpoint.place(),
            image.origin.repository.clone(),
            image.digest.clone(),
            image.shape.to_string(),
        );
        let cell = self.lock().cells.entry(key).or_default().clone();
        let mut known = cell.lock().await;
        let before = known.weigh();
        let mut inquiry = Inquiry {
            engine,
            image,
            run,
            known: &mut known,
            used: Vec::new(),
        };
        let testimonies = ask_all(&mut inquiry, trusts).await;
        self.lock().account(before, known.weigh());
        testimonies
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask_all(
    inquiry: &mut Inquiry<'_>,
    trusts: &[Trust<'_>],
) -> Result<Vec<Arc<Testimony>>, Unproven> {
    let mut testimonies = Vec::new();
    for trust in trusts {
        testimonies.push(ask(inquiry, trust).await?);
    }
    let mut settled = trusts.iter().zip(&testimonies);
    if settled.all(|(trust, testimony)| testimony.suffices(trust.gates)) {
        inquiry.known.forget_evidence();
    }
    Ok(testimonies)
}

async fn ask(inquiry: &mut Inquiry<'_>, trust: &Trust<'_>) -> Result<Arc<Testimony>, Unproven> {
    let Trust {
        policy: _,
        gates,
        authorities,
    } = trust;
    let identity = trust.identity();
    let known = inquiry.known.settled.get(&identity);
    if let Some(known) = known.filter(|known| known.suffices(gates)) {
        return Ok(known.clone());
    }
    let testimony = inquiry.run(authorities, gates.needs_scans()).await?;
    let testimony = Arc::new(testimony);
    if testimony.suffices(gates) {
        let settled = &mut inquiry.known.settled;
        settled.insert(identity, testimony.clone());
    }
    Ok(testimony)
}

// === impl Trust ===

impl Trust<'_> {
    /// Another one where somebody else is trusted, or for something else.
    fn identity(&self) -> Digest {
        let mut hasher = Algorithm::Sha256.hasher();
        for authority in self.authorities {
            hasher.update(authority.name().as_bytes());
            hasher.update(b"\n");
            hasher.update(authority.fingerprint().as_str().as_bytes());
            hasher.update(b"\n");
        }
        hasher.update(&[u8::from(self.gates.needs_scans())]);
        hasher.finish()
    }
}

// === impl Cache ===

impl Cache {
    fn account(&mut self, before: usize, after: usize) {
        self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
        if self.bytes > CACHE_BYTES {
            self.cells.clear();
            self.bytes = 0;
        }
    }
}
