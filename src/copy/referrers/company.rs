// SPDX-License-Identifier: Apache-2.0

//! What comes along with an image.

use std::collections::HashMap;
use std::sync::Arc;

use crate::copy::graph::Graph;
use crate::copy::links::{Entry, Link, Links, TagList};
use crate::copy::seen::Trace;
use crate::oci::{Digest, Manifest};

/// Something that comes along with an image.
#[derive(Clone, Debug)]
pub(in crate::copy) struct Attached {
    pub(in crate::copy) graph: Graph,
    pub(in crate::copy) by: Link,
}

/// Everything that comes along with an image.
#[derive(Debug, Default)]
pub(in crate::copy) struct Company {
    pub(in crate::copy) attached: Vec<Attached>,
    /// The fallback lists of the source of which everything comes along, by their subjects.
    pub(in crate::copy) lists: HashMap<Digest, Arc<Manifest>>,
    /// What was seen on the way.
    pub(in crate::copy) trace: Trace,
}

// === impl Company ===

impl Company {
    /// The manifests that come along.
    pub(in crate::copy) fn digests(&self) -> Vec<Digest> {
        let roots = self.attached.iter().map(|attached| &attached.graph.root);
        roots.map(|root| root.digest().clone()).collect()
    }

    /// Takes note of a fallback list, if all that it lists comes along.
    pub(super) fn keep_list(&mut self, links: &Links, attached: &[Attached]) {
        let Some(TagList::Read(list)) = &links.list else {
            return;
        };
        let mut members = links.entries.iter().filter(|entry| links.is_member(entry));
        let comes = |entry: &Entry| {
            let mut attached = attached.iter();
            attached.any(|one| one.by == entry.by && *one.graph.root.digest() == entry.digest)
        };
        if members.all(comes) {
            self.lists.insert(links.subject.clone(), list.clone());
        }
    }
}
