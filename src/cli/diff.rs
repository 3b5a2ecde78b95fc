// SPDX-License-Identifier: Apache-2.0

//! `transship diff`: what tells two images apart.

mod compare;
mod render;

use std::collections::BTreeMap;

pub(super) use self::compare::Difference;
use self::compare::{Side, compare};
use super::address::image_name;
use super::args::{DiffArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image::{self, Entry, Named, Source, is_config};
use super::location::Location;
use super::open::open;
use super::output::{Document, Output};
use crate::oci::{Content, Digest, Manifest, Platform};
use crate::runtime::shutdown::until_signal;

/// The kind of what machines read.
pub(super) const KIND: &str = "Difference";

impl Document for Difference {
    const KIND: &'static str = KIND;
}

/// Runs `transship diff`.
pub(super) async fn run(args: &DiffArgs, output: &Output) -> Result<Exit, Error> {
    let DiffArgs {
        left,
        right,
        platform,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let connector = Connector::open(registry)?;
    let looked = until_signal(async {
        let (left, right) = tokio::try_join!(fetch(&connector, left), fetch(&connector, right))?;
        let known = (left.1.digest() == right.1.digest()).then(|| left.1.digest().clone());
        let (left, right) = tokio::try_join!(
            read(left, known.as_ref(), platform.as_ref()),
            read(right, known.as_ref(), platform.as_ref())
        )?;
        Ok::<_, Error>(compare(&left, &right))
    });
    let Some(difference) = Box::pin(looked).await else {
        return Ok(Exit::Interrupted);
    };
    let difference = difference?;
    output.print_value(*format, &difference, render::text)?;
    Ok(if difference.is_same() {
        Exit::Success
    } else {
        Exit::Drift
    })
}

async fn fetch(connector: &Connector, location: &Location) -> Result<(Named, Manifest), Error> {
    let image = open(connector, location).await?;
    let root = image.source.fetch_named(&image.target).await?;
    Ok((image, root))
}

/// One side, with the images of all platforms, or of the one that is asked for. Where both sides are one
/// manifest nothing more is read.
async fn read(
    (image, root): (Named, Manifest),
    same: Option<&Digest>,
    platform: Option<&Platform>,
) -> Result<Side, Error> {
    let Named { source, target } = image;
    let mut side = Side {
        name: image_name(&source.name, &target),
        digest: root.digest().clone(),
        size: None,
        images: BTreeMap::new(),
    };
    if same.is_some() {
        return Ok(side);
    }
    let entries = match platform {
        Some(platform) => vec![source.select(&root, Some(platform)).await?],
        None => source.entries(&root).await?,
    };
    side.size = Some(image::size(&entries));
    for entry in &entries {
        side.images
            .insert(entry.kind(), read_image(&source, entry).await?);
    }
    Ok(side)
}

async fn read_image(source: &Source, entry: &Entry) -> Result<compare::Image, Error> {
    let mut found = compare::Image {
        digest: entry.manifest.digest().clone(),
        size: image::size([entry]),
        layers: Vec::new(),
        config: None,
    };
    if let Content::Image(manifest) = entry.manifest.content() {
        let layers = manifest.layers.iter();
        found.layers = layers
            .map(|layer| (layer.digest.clone(), layer.size))
            .collect();
        if let Some(config) = manifest.config.as_ref().filter(|config| is_config(config)) {
            found.config = Some(source.read_json(config).await?);
        }
    }
    Ok(found)
}
