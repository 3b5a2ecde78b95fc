// SPDX-License-Identifier: Apache-2.0

//! Which images workloads use, and whether a tag is one of them.
//!
//! A node may fetch an image by another name than the one that stands in the workload: through a mirror, an
//! alias, or a short name. So a tag is in use as soon as one of these holds:
//!
//! 1. **Digest.** A workload names or runs any of the digests that the tag leads to: its own, that of its
//!    source, one that its index lists, or the config of one of them. Host and repository do not matter.
//! 2. **Name.** A workload names the same tag (`latest` where it names neither tag nor digest; upper and
//!    lower case do not matter, as at some registries) of the same repository, at the destination or at the source. At the same host the repository must be the same. At
//!    any other host, and for a short name such as `alpine` or `team/app`, it is enough that one repository
//!    ends with the whole of the other: `images.corp/library/alpine` may well be `eu.corp/mirror/library/alpine`.
//! 3. **Text.** A workload names something that is no image reference, and one of the parts between `/`, `:`
//!    and `@` is the last word of the repository, or a digest that the tag leads to.
//!
//! Any string of a workload that reads as an image is one, see [`references_in`]. When in doubt it is in use.

mod beside;
mod place;
mod text;
mod value;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use self::place::{Place, last_word};
pub use self::text::references_in;
use crate::oci::{Digest, Reference, Registry, Repository, Tag};

/// A tag at a registry.
pub type Name<'a> = (&'a Registry, &'a Repository, &'a Tag);

/// What all workloads use. Each image keeps the first of its users by name.
#[derive(Clone, Debug, Default)]
pub struct InUse {
    /// Each user once, however many images it has.
    users: HashSet<Arc<str>>,
    digests: HashMap<Digest, Arc<str>>,
    /// By the last word of the repository, the digests that are said to be there.
    digests_at: HashMap<Box<str>, BTreeSet<(Digest, Place)>>,
    names: BTreeMap<Named, Arc<str>>,
    /// The parts of what is no reference, in lower case.
    parts: HashMap<Box<str>, Arc<str>>,
}

/// A tag, and all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The tag at its destination.
    pub destination: Name<'a>,
    /// The tag at its source.
    pub source: Name<'a>,
    /// Every digest that it leads to: its own, that of the source, those of an index's images, and configs.
    pub digests: &'a [Digest],
}

/// A name of an image. What all names of one image have in common, wherever they are, comes first: the last
/// word of the repository, and the tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    word: Box<str>,
    /// In lower case, as registries know it that do not tell upper and lower case apart.
    tag: Box<str>,
    place: Place,
}

// === impl InUse ===

impl InUse {
    /// Most names and digests that are kept, each of some 200 bytes.
    pub const MOST: usize = 400_000;

    /// Takes note of an image that a workload names, such as `alpine:3.20` or `eu.corp/app@sha256:…`.
    pub fn add_image(&mut self, user: &str, image: &str) {
        let image = image.trim();
        if image.is_empty() {
            return;
        }
        let user = self.intern(user);
        if let Some(digest) = bare_digest(image) {
            keep_first(&mut self.digests, digest, user);
            return;
        }
        match image.parse::<Reference>() {
            Ok(reference) => self.add_reference(reference, is_short(image), user),
            Err(_) => self.add_unknown(image, &user),
        }
    }

    /// Takes note of an image that a node says it runs: `docker-pullable://app@sha256:…`,
    /// `eu.corp/app@sha256:…`, `sha256:…`, or the same without its algorithm. It is the digest of a manifest,
    /// of an index, or of a config. Empty before the container starts.
    pub fn add_image_id(&mut self, user: &str, image_id: &str) {
        let image = image_id
            .split_once("://")
            .map_or(image_id, |(_, behind)| behind);
        self.add_image(user, image);
    }

    /// Takes over what others use.
    pub fn merge(&mut self, other: Self) {
        let Self {
            users,
            digests,
            digests_at,
            names,
            parts,
        } = other;
        self.users.extend(users);
        for (digest, user) in digests {
            keep_first(&mut self.digests, digest, user);
        }
        for (word, named) in digests_at {
            self.digests_at.entry(word).or_default().extend(named);
        }
        for (name, user) in names {
            keep_first_name(&mut self.names, name, user);
        }
        for (part, user) in parts {
            keep_first(&mut self.parts, part, user);
        }
    }

    /// Who uses a tag: the first by name. None where nobody does.
    pub fn user_of(&self, subject: &Subject<'_>) -> Option<&str> {
        let Subject {
            destination,
            source,
            digests,
        } = subject;
        let by_digest = digests.iter().filter_map(|digest| self.digests.get(digest));
        let sides = [*destination, *source];
        let by_name = sides.into_iter().filter_map(|name| self.user_of_name(name));
        let by_text = sides
            .into_iter()
            .map(|(_, repository, _)| last_word(repository.as_str()))
            .chain(digests.iter().map(hex_digits))
            .filter_map(|part| self.parts.get(part));
        by_digest
            .chain(by_name)
            .chain(by_text)
            .min()
            .map(AsRef::as_ref)
    }

    /// The digests that workloads name or run in a repository, at a destination or a source, by any name that
    /// a node may have for it, in order. What a digest leads to is used, too: an index that no tag names any
    /// more is read by its digest. A digest that stands alone is in no repository, and not among them.
    pub fn digests_in<'a>(
        &'a self,
        registry: &Registry,
        repository: &Repository,
    ) -> impl Iterator<Item = &'a Digest> + use<'a> {
        let named = self.digests_at.get(last_word(repository.as_str()));
        let here: BTreeSet<&Digest> = named
            .into_iter()
            .flatten()
            .filter(|(_, place)| place.may_be(registry, repository))
            .map(|(digest, _)| digest)
            .collect();
        here.into_iter()
    }

    /// Whether workloads name so much that it cannot be kept in mind: what is left out would not be protected.
    pub fn is_too_much(&self) -> bool {
        let named: usize = self.digests_at.values().map(BTreeSet::len).sum();
        self.digests.len() + self.names.len() + self.parts.len() + named > Self::MOST
    }

    /// How many workloads use any image.
    pub fn count_users(&self) -> usize {
        self.users.len()
    }

    fn user_of_name(&self, name: Name<'_>) -> Option<&Arc<str>> {
        let (registry, repository, tag) = name;
        let first = Named {
            word: last_word(repository.as_str()).into(),
            tag: fold(tag),
            place: Place::first(),
        };
        let names = self.names.range(&first..);
        names
            .take_while(|(name, _)| (&name.word, &name.tag) == (&first.word, &first.tag))
            .filter(|(name, _)| name.place.may_be(registry, repository))
            .map(|(_, user)| user)
            .min()
    }

    fn add_reference(&mut self, reference: Reference, is_short: bool, user: Arc<str>) {
        let is_bare = reference.is_bare();
        let Reference {
            registry,
            repository,
            tag,
            digest,
        } = reference;
        let tag = tag.or_else(|| is_bare.then(Tag::latest));
        let word = last_word(repository.as_str());
        let place = Place::new(registry, &repository, is_short);
        if let Some(digest) = digest {
            let named = self.digests_at.entry(word.into()).or_default();
            named.insert((digest.clone(), place.clone()));
            keep_first(&mut self.digests, digest, user.clone());
        }
        if let Some(tag) = tag {
            let (word, tag) = (word.into(), fold(&tag));
            keep_first_name(&mut self.names, Named { word, tag, place }, user);
        }
    }

    fn add_unknown(&mut self, text: &str, user: &Arc<str>) {
        let text = text.to_lowercase();
        if let Some((name, digest)) = text.rsplit_once('@')
            && let Ok(digest) = digest.parse()
        {
            let (word, _) = last_word(name).split_once(':').unwrap_or((name, ""));
            let word = last_word(word);
            let named = self.digests_at.entry(word.into()).or_default();
            named.insert((digest, Place::of_word(word)));
        }
        let parts = text.split(['/', ':', '@']).map(str::trim);
        for part in parts.filter(|part| !part.is_empty()) {
            keep_first(&mut self.parts, Box::from(part), user.clone());
        }
    }

    fn intern(&mut self, user: &str) -> Arc<str> {
        if let Some(known) = self.users.get(user) {
            return known.clone();
        }
        let user: Arc<str> = user.into();
        self.users.insert(user.clone());
        user
    }
}

fn keep_first<K: std::hash::Hash + Eq>(users: &mut HashMap<K, Arc<str>>, key: K, user: Arc<str>) {
    let first = users.entry(key).or_insert_with(|| user.clone());
    replace_by_smaller(first, user);
}

fn keep_first_name(users: &mut BTreeMap<Named, Arc<str>>, name: Named, user: Arc<str>) {
    let first = users.entry(name).or_insert_with(|| user.clone());
    replace_by_smaller(first, user);
}

fn replace_by_smaller(first: &mut Arc<str>, user: Arc<str>) {
    if user < *first {
        *first = user;
    }
}

/// A digest that stands alone, with or without its algorithm. As a reference it would be a tag.
fn bare_digest(text: &str) -> Option<Digest> {
    let alone = text.parse().ok();
    alone.or_else(|| {
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex
            .then(|| format!("sha256:{}", text.to_ascii_lowercase()))?
            .parse()
            .ok()
    })
}

/// Whether a reference names no registry. Every name of Docker Hub has a dot.
fn is_short(text: &str) -> bool {
    let (first, _) = text.split_once('/').unwrap_or_default();
    let has_upper_case = first.bytes().any(|byte| byte.is_ascii_uppercase());
    first != "localhost" && !first.contains(['.', ':']) && !has_upper_case
}

fn fold(tag: &Tag) -> Box<str> {
    tag.as_str().to_ascii_lowercase().into()
}

fn hex_digits(digest: &Digest) -> &str {
    let (_, digits) = digest.as_str().split_once(':').unwrap_or_default();
    digits
}

#[cfg(test)]
mod tests;
