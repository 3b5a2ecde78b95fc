//! What workloads use.

use std::collections::BTreeMap;

use crate::oci::{Digest, Registry, Repository, Tag};

/// Everything that workloads use.
#[derive(Clone, Debug, Default)]
pub struct InUse {
    texts: BTreeMap<String, String>,
}

/// A tag at a destination, as it may be used.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The tag at the destination.
    pub destination: (&'a Registry, &'a Repository, &'a Tag),
    /// The tag at the source.
    pub source: (&'a Registry, &'a Repository, &'a Tag),
    /// The digests by which nodes may know it.
    pub digests: &'a [Digest],
}

impl InUse {
    /// Takes note of an image that a workload names.
    pub fn add_image(&mut self, user: &str, image: &str) {
        self.texts
            .entry(image.to_owned())
            .or_insert_with(|| user.to_owned());
    }

    /// Who uses a subject.
    pub fn user_of(&self, subject: &Subject<'_>) -> Option<&str> {
        let digests: Vec<&str> = subject.digests.iter().map(Digest::as_str).collect();
        let (_, repository, tag) = subject.destination;
        let (_, source, source_tag) = subject.source;
        let names = [
            format!("{repository}:{tag}"),
            format!("{source}:{source_tag}"),
        ];
        let mut texts = self.texts.iter();
        let found = texts.find(|(text, _)| {
            names.iter().any(|name| text.ends_with(name.as_str()))
                || digests.iter().any(|digest| text.ends_with(digest))
        });
        found.map(|(_, user)| user.as_str())
    }
}
