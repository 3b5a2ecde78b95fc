// SPDX-License-Identifier: Apache-2.0

//! `transship bundle load`: a round whose source is the bundle. What mirrors want of it was decided when it was made;
//! where it goes, and under which names, is said by the mirrors that are given here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ends::{documents, failed};
use crate::api::image_mirror::{AbsentTag, IndexMode};
use crate::cli::args::{LoadBundleArgs, OutputArgs};
use crate::cli::connect::MirrorConnection;
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::session::{Remembering, Session};
use crate::cli::units;
use crate::layout::{BundleFile, ViewedImage};
use crate::oci::{Repository, Tag};
use crate::plan::conflicts::SourceImage;
use crate::plan::naming::Naming;
use crate::plan::{ImageEntry, Mirror, Platforms, ReferrerTypes, RepositorySelector, TagSelector};
use crate::sync::RoundInput;

/// Runs `transship bundle load`.
pub(super) async fn run(args: &LoadBundleArgs, output: &Output) -> Result<Exit, Error> {
    let LoadBundleArgs {
        file,
        mirrors,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let bundle = BundleFile::open(file.clone()).await.map_err(failed)?;
    let mut documents = documents(mirrors);
    documents.from_layout = Some(file.clone());
    let mut absent = BTreeSet::new();
    let progress = Progress::new(output);
    let remembering = Remembering::All;
    let mut session = Session::open_as(&documents, registry, progress, remembering, |input| {
        if !redirect(input, &bundle)? {
            absent.insert(input.mirror.name.clone());
        }
        Ok(())
    })?;
    session.skip(output, |mirror| {
        if mirror.suspend {
            return Some("is suspended");
        }
        absent
            .contains(&mirror.name)
            .then_some("has no images in the bundle")
    });
    if session.inputs.is_empty() {
        let known = known_mirrors(&bundle).join(", ");
        let file = file.display();
        return Err(Error::Image(format!(
            "{file} has nothing for these mirrors: it has images of {known}"
        )));
    }
    tell_elsewhere(&bundle, output);
    session.apply(*format, output).await
}

/// Says what the destinations must have already.
fn tell_elsewhere(bundle: &BundleFile, output: &Output) {
    let elsewhere = bundle.index.elsewhere();
    if elsewhere.is_empty() {
        return;
    }
    let size: u64 = elsewhere.iter().map(|(_, size)| size).sum();
    let before = bundle.index.previous.as_ref();
    let before = before.map_or("an earlier one".to_owned(), |digest| {
        format!("the one with the index {digest}")
    });
    output.note(&format!(
        "note: this bundle relies on {} ({}) that {before} brings: each is looked for at the destinations",
        units::count(elsewhere.len(), "blob", "blobs"),
        units::bytes(size)
    ));
}

/// The mirrors whose images are in a bundle.
fn known_mirrors(bundle: &BundleFile) -> Vec<String> {
    let repositories = bundle.index.repositories.iter();
    let entries = repositories.flat_map(|repository| &repository.entries);
    let origins = entries.flat_map(|entry| &entry.origins);
    let names: BTreeSet<&String> = origins.map(|origin| &origin.mirror).collect();
    names.into_iter().cloned().collect()
}

/// Lets the bundle take the place of a mirror's source, and says whether it has anything of it.
fn redirect(input: &mut RoundInput<MirrorConnection>, bundle: &BundleFile) -> Result<bool, Error> {
    let RoundInput { mirror, connection } = input;
    let images = images_of(mirror, bundle)?;
    let wanted = entries(mirror, &images)?;
    let mirror = Arc::make_mut(mirror);
    mirror.images = wanted;
    // Policies have judged, and platforms and referrers are those that were chosen. An index that is kept as it is still
    // lists what was left out.
    if !keeps_index(&mirror.platforms) {
        mirror.platforms = Platforms::All;
    }
    mirror.referrers.types = ReferrerTypes::All;
    let view = bundle.view(&mirror.name, &images).map_err(failed)?;
    connection.read_from(view);
    Ok(!images.is_empty())
}

fn keeps_index(platforms: &Platforms) -> bool {
    match platforms {
        Platforms::All => false,
        Platforms::List { index, .. } => *index == IndexMode::Preserve,
    }
}

fn images_of<'a>(mirror: &Mirror, bundle: &'a BundleFile) -> Result<Vec<ViewedImage<'a>>, Error> {
    let mut images = Vec::new();
    for of in &bundle.index.repositories {
        for entry in &of.entries {
            let origins = entry.origins.iter();
            for origin in origins.filter(|origin| origin.mirror == mirror.name) {
                let source = SourceImage::read(&origin.source).ok_or_else(|| {
                    Error::Image(format!("{:?} in the bundle names no image", origin.source))
                })?;
                if source.registry != mirror.source.registry {
                    return Err(Error::Image(format!(
                        "the bundle has {} for mirror {}, whose source is {} here: load it with the file that it was made with",
                        origin.source, mirror.name, mirror.source.registry
                    )));
                }
                images.push(ViewedImage {
                    repository: source.repository,
                    tag: source.tag,
                    entry,
                    of,
                });
            }
        }
    }
    Ok(images)
}

/// Entries that want these images and no others, under the names that the mirror gives them.
fn entries(mirror: &Mirror, images: &[ViewedImage<'_>]) -> Result<Vec<ImageEntry>, Error> {
    let mut named: BTreeMap<&Repository, Vec<(&Naming, BTreeSet<&Tag>)>> = BTreeMap::new();
    for image in images {
        let of_repository = named.entry(&image.repository).or_default();
        for naming in namings(mirror, image)? {
            let known = of_repository.iter_mut().find(|(known, _)| *known == naming);
            match known {
                Some((_, tags)) => {
                    tags.insert(&image.tag);
                }
                None => of_repository.push((naming, BTreeSet::from([&image.tag]))),
            }
        }
    }
    let named = named.into_iter();
    let entries = named.flat_map(|(repository, namings)| {
        namings.into_iter().map(|(naming, tags)| ImageEntry {
            repository: RepositorySelector::Literal(repository.clone()),
            tags: tags
                .into_iter()
                .cloned()
                .map(TagSelector::Literal)
                .collect(),
            absent: AbsentTag::Fail,
            rules: None,
            policies: Vec::new(),
            naming: naming.clone(),
        })
    });
    Ok(entries.collect())
}

/// How the mirror names an image: as the entries do that mean it. What none means does not go anywhere. Of several
/// entries those count that give the repository which the bundle names, and all where the file here names another one.
fn namings<'a>(mirror: &'a Mirror, image: &ViewedImage<'_>) -> Result<Vec<&'a Naming>, Error> {
    let ViewedImage {
        repository, tag, ..
    } = image;
    let refused = |why: &str| {
        let (registry, name) = (&mirror.source.registry, &mirror.name);
        Error::Image(format!(
            "the bundle has {registry}/{repository}:{tag} for mirror {name}, and {why}: load it with the file that it was made with"
        ))
    };
    let entries = mirror.images.iter();
    let meant: Vec<&ImageEntry> = entries
        .filter(|entry| entry.may_mean(repository, tag))
        .collect();
    if meant.is_empty() {
        return Err(refused("none of its images is that one here"));
    }
    let selectors = meant.iter().flat_map(|entry| &entry.tags);
    let mut pins = selectors
        .filter(|selector| selector.literal() == Some(tag))
        .filter_map(TagSelector::pin);
    // An index of some platforms has another digest than that of the source.
    if mirror.platforms == Platforms::All && pins.any(|pin| *pin != image.entry.digest) {
        return Err(refused("that tag is pinned to another digest here"));
    }
    let alike = meant.into_iter();
    let alike = alike.map(|entry| (likeness(mirror, entry, image), &entry.naming));
    let mut alike: Vec<(usize, &Naming)> = alike.collect();
    let most = alike.iter().map(|(likeness, _)| *likeness).max();
    alike.retain(|(likeness, _)| Some(*likeness) == most);
    Ok(alike.into_iter().map(|(_, naming)| naming).collect())
}

/// How much of the repository in the bundle is the path that an entry gives at a destination.
fn likeness(mirror: &Mirror, entry: &ImageEntry, image: &ViewedImage<'_>) -> usize {
    let registry = &mirror.source.registry;
    let paths = mirror.destinations.iter().filter_map(|destination| {
        let path = destination.repository_of(&entry.naming, registry, &image.repository);
        let path = path.ok()?.to_string();
        image.of.name.ends_with(&format!("/{path}")).then_some(path)
    });
    paths.map(|path| path.len()).max().unwrap_or_default()
}
