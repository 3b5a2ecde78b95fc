// SPDX-License-Identifier: Apache-2.0

//! `transship bundle load`: a round whose source is the bundle. What mirrors want of it was decided when it was made;
//! where it goes, and under which names, is said by the mirrors that are given here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ends::{documents, failed};
use super::entries::entries;
use super::signing;
use crate::api::image_mirror::IndexMode;
use crate::cli::args::{LoadBundleArgs, OutputArgs};
use crate::cli::connect::MirrorConnection;
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::session::{Remembering, Session};
use crate::cli::units;
use crate::layout::{BundleFile, ViewedImage};
use crate::plan::conflicts::SourceImage;
use crate::plan::{Mirror, Platforms, ReferrerTypes};
use crate::sync::RoundInput;

/// Runs `transship bundle load`.
pub(super) async fn run(args: &LoadBundleArgs, output: &Output) -> Result<Exit, Error> {
    let LoadBundleArgs {
        file,
        mirrors,
        signed_by,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let bundle = BundleFile::open(file.clone()).await.map_err(failed)?;
    signing::require(&bundle, file, signed_by).await?;
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
    // Platforms and referrers are those that were chosen. An index that is kept as it is still
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
