// SPDX-License-Identifier: Apache-2.0

//! What is on record of mirrors, as people read it: only what is asked for, since all of it may be large.

use crate::api::{ImageMirror, MirroredRepository};
use crate::controller::memory::name_of;
use crate::controller::records::show_record;
use crate::plan::why::AskedImage;
use crate::sync::Ledger;
use crate::sync::ledger::{Leaf, Page};

/// What is on record of a mirror and may be about an image.
pub(super) fn concerning(
    ledger: &Ledger,
    mirror: &ImageMirror,
    asked: &AskedImage,
) -> Vec<MirroredRepository> {
    if !asked.may_concern(mirror) {
        return Vec::new();
    }
    let pages = ledger.leaves(&name_of(mirror)).into_iter();
    pages
        .filter(|(page, leaf)| may_be_about(asked, page, leaf))
        .filter_map(|(page, leaf)| show_record(mirror, &page, &leaf))
        .collect()
}

/// The repositories of a mirror with tags that are no longer wanted, and these tags alone.
pub(super) fn leaving(ledger: &Ledger, mirror: &ImageMirror) -> Vec<MirroredRepository> {
    let prune = mirror.status.as_ref();
    let prune = prune.and_then(|status| status.prune.as_ref());
    if prune.is_none_or(|prune| prune.candidates == 0 && prune.protected == 0) {
        return Vec::new();
    }
    let pages = ledger.leaves(&name_of(mirror)).into_iter();
    pages
        .filter_map(|(page, leaf)| {
            let Leaf { mut records, .. } = leaf;
            records.retain(|_, record| record.unwanted.is_some());
            let unwanted = Leaf {
                records,
                ..Leaf::default()
            };
            let record = show_record(mirror, &page, &unwanted)?;
            record.status.as_ref()?.candidates.first()?;
            Some(record)
        })
        .collect()
}

/// Whether a name, there or at the source, has the repository in it. What waits has no source on record.
fn may_be_about(asked: &AskedImage, page: &Page, leaf: &Leaf) -> bool {
    let Leaf {
        records,
        waiting,
        deleted,
        keepsakes: _,
    } = leaf;
    let name = asked.bare_repository();
    let mut sources = records.values().map(|record| &record.source);
    let mut gone = deleted.values().map(|tombstone| &tombstone.source);
    !waiting.is_empty()
        || page.repository.as_str().contains(name)
        || sources.any(|source| source.contains(name))
        || gone.any(|source| source.contains(name))
}
