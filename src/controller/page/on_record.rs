// SPDX-License-Identifier: Apache-2.0

//! What is on record of mirrors, as people read it: only what is asked for, since all of it may be large.

use std::borrow::Cow;

use crate::api::{ImageMirror, MirroredRepository};
use crate::controller::memory::name_of;
use crate::controller::records::show_record;
use crate::plan::why::{KnownRecords, RecordQuery};
use crate::sync::Ledger;
use crate::sync::ledger::{LeafView, Page};

/// What is on record of a mirror and may be about what is asked for.
pub(crate) fn concerning(
    ledger: &Ledger,
    mirror: &ImageMirror,
    query: RecordQuery<'_>,
) -> KnownRecords<'static> {
    if !query.may_concern(mirror) {
        return KnownRecords::Here(Vec::new());
    }
    let pages = ledger.leaves_where(&name_of(mirror), |page, leaf| {
        may_be_about(query, page, leaf)
    });
    let shown = pages.iter();
    let shown = shown.filter_map(|(page, leaf)| show_record(mirror, page, leaf));
    KnownRecords::Here(shown.map(Cow::Owned).collect())
}

/// The repositories of a mirror with tags that are no longer wanted, and these tags alone.
pub(crate) fn leaving(ledger: &Ledger, mirror: &ImageMirror) -> Vec<MirroredRepository> {
    let prune = mirror.status.as_ref();
    let prune = prune.and_then(|status| status.prune.as_ref());
    if prune.is_none_or(|prune| prune.candidates == 0 && prune.protected == 0) {
        return Vec::new();
    }
    let pages = ledger.leaves_where(&name_of(mirror), |_, leaf| {
        let mut records = leaf.records.values();
        records.any(|record| record.unwanted.is_some())
    });
    pages
        .into_iter()
        .filter_map(|(page, mut leaf)| {
            leaf.records.retain(|_, record| record.unwanted.is_some());
            leaf.waiting.clear();
            leaf.deleted.clear();
            let record = show_record(mirror, &page, &leaf)?;
            record.status.as_ref()?.candidates.first()?;
            Some(record)
        })
        .collect()
}

/// Whether a repository has a tag that may be one of those that are asked for. What waits has no source on record, and is
/// not there under its digest.
fn may_be_about(query: RecordQuery<'_>, page: &Page, leaf: LeafView<'_>) -> bool {
    let LeafView {
        records,
        waiting,
        deleted,
    } = leaf;
    let repository = page.repository.as_str();
    let mut records = records.values();
    let mut deleted = deleted.values();
    let may_wait = matches!(query, RecordQuery::Image(_)) && !waiting.is_empty();
    may_wait
        || records.any(|record| {
            let digests = [&record.digest, &record.source_digest];
            query.may_be(repository, &record.source, digests)
        })
        || deleted.any(|gone| {
            let digests = [&gone.digest, &gone.source_digest];
            query.may_be(repository, &gone.source, digests)
        })
}
