// SPDX-License-Identifier: Apache-2.0

//! Reads every byte of a bundle, and follows every reference in it.

use std::sync::Arc;

use super::contents;
use super::index::as_value;
use super::open::BundleFile;
use crate::layout::archive::{Opened, tar};
use crate::layout::blocking::blocking;
use crate::layout::error::Error;
use crate::layout::marker::{CONTENT, INDEX, MARKER};
use crate::layout::store::Store;
use crate::oci::{Digest, limits};

/// How much is hashed at once, in bytes.
const FRAME: usize = 256 * 1024;
/// Most faults that are told: what is broken all over is not read by anybody.
const FAULTS: usize = 1_000;

/// What was read.
#[derive(Debug, Default)]
pub struct BundleCheck {
    /// How many blobs and manifests.
    pub contents: usize,
    /// How many bytes of them.
    pub bytes: u64,
    /// What is wrong.
    pub faults: Vec<Error>,
}

// === impl BundleFile ===

impl BundleFile {
    /// Looks at all of it.
    pub async fn check(self) -> Result<BundleCheck, Error> {
        blocking(move || {
            let mut check = BundleCheck::default();
            self.check_documents(&mut check)?;
            self.check_contents(&mut check)?;
            self.check_references(&mut check)?;
            Ok(check)
        })
        .await
    }

    /// What no digest covers follows from the index.
    fn check_documents(&self, check: &mut BundleCheck) -> Result<(), Error> {
        let expected = self.index.layout(&self.manifest).render();
        let volume = &self.archive.volume;
        for entry in tar::scan(volume)? {
            let expected = match entry.name.as_str() {
                MARKER => CONTENT,
                INDEX => &expected,
                _ => continue,
            };
            let found = tar::read(volume, entry.span, limits::LIST_BYTES as u64)?;
            let is_same = as_value(&found).is_some_and(|found| Some(found) == as_value(expected));
            if !is_same {
                let what = format!("{} is not what the index of the bundle says", entry.name);
                check.add(volume.damaged(entry.span.start, what));
            }
        }
        Ok(())
    }

    fn check_contents(&self, check: &mut BundleCheck) -> Result<(), Error> {
        let mut spans: Vec<_> = self.archive.blobs.iter().collect();
        spans.sort_by_key(|(_, span)| span.start);
        for (digest, span) in spans {
            let Some(opened) = self.archive.open_blob(digest) else {
                continue;
            };
            check.contents += 1;
            check.bytes += span.length;
            match hash(digest, &opened) {
                Ok(found) if found == *digest => {}
                Ok(_) => check.extend(opened.damaged(digest)),
                Err(error @ Error::Damaged { .. }) => {
                    check.extend(opened.damaged(digest));
                    check.add(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn check_references(&self, check: &mut BundleCheck) -> Result<(), Error> {
        let store = Store::of_archive(self.path.clone(), Arc::new(self.archive.clone()));
        for repository in &self.index.repositories {
            for fault in contents::find_faults(&store, repository)? {
                check.add(fault);
            }
        }
        Ok(())
    }
}

/// The digest of what is open, by the algorithm of another one.
pub(super) fn hash(digest: &Digest, opened: &Opened) -> Result<Digest, Error> {
    let mut hasher = digest.algorithm().hasher();
    let mut frame = vec![0; FRAME];
    let mut position = 0;
    loop {
        let filled = opened.fill(&mut frame, position)?;
        if filled == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(frame.get(..filled).unwrap_or_default());
        position += filled as u64;
    }
}

// === impl BundleCheck ===

impl BundleCheck {
    fn add(&mut self, fault: Error) {
        if self.faults.len() >= FAULTS {
            return;
        }
        let text = fault.to_string();
        let mut known = self.faults.iter();
        if !known.any(|known| known.to_string() == text) {
            self.faults.push(fault);
        }
    }

    fn extend(&mut self, fault: Option<Error>) {
        if let Some(fault) = fault {
            self.add(fault);
        }
    }
}
