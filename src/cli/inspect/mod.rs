// SPDX-License-Identifier: Apache-2.0

//! `transship inspect`: everything that an image has to say about itself.

pub(super) mod raw;
mod referrers;
mod render;
mod template;
mod verify;
mod view;

pub(super) use self::verify::VerifiedView;
pub(super) use self::view::ImageView;
use super::args::{InspectArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image::{self, Named};
use super::open::open;
use super::output::{Document, Output};
use crate::oci::{Content, Platform};
use crate::policy::TextTemplate;
use crate::runtime::shutdown::until_signal;

/// The kind of what machines read.
pub(super) const KIND: &str = "Image";

impl Document for ImageView {
    const KIND: &'static str = KIND;
}

impl Document for VerifiedView {
    const KIND: &'static str = "Signatures";
}

/// Runs `transship inspect`.
pub(super) async fn run(args: &InspectArgs, output: &Output) -> Result<Exit, Error> {
    // What is wrong with it is said before anything is asked for.
    let template = args.format.as_deref().map(TextTemplate::parse).transpose();
    let template = template.map_err(|error| Error::Usage(format!("--format: {error}")))?;
    let inspected = until_signal(inspect(args, template.as_ref(), output)).await;
    inspected.unwrap_or(Ok(Exit::Interrupted))
}

async fn inspect(
    args: &InspectArgs,
    template: Option<&TextTemplate>,
    output: &Output,
) -> Result<Exit, Error> {
    let InspectArgs {
        reference,
        raw,
        config,
        format: _,
        platform,
        verify,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let platform = platform.as_ref();
    let connector = Connector::open(registry)?;
    let image = open(&connector, reference).await?;
    if verify.verify {
        let view = verify::verify(verify, &image).await?;
        output.print_value(*format, &view, |view, _| view.text())?;
        return Ok(if view.is_verified() {
            Exit::Success
        } else {
            Exit::Failure
        });
    }
    if *raw {
        output.print(raw::manifest(&image, platform).await?)?;
        return Ok(Exit::Success);
    }
    if *config {
        output.print(raw::config(&image, platform).await?)?;
        return Ok(Exit::Success);
    }
    let Some(template) = template else {
        let view = read(&image, platform).await?;
        output.print_value(*format, &view, render::text)?;
        return Ok(Exit::Success);
    };
    let Named { source, target } = &image;
    let root = source.fetch_named(target).await?;
    let entry = source.select(&root, platform).await?;
    let bytes = source.config_bytes(&entry.manifest).await?;
    let value = template::value(&image, &root, &entry.manifest, &bytes)?;
    let text = template.render(&value);
    let text = text.map_err(|error| Error::Usage(format!("--format: {error}")))?;
    output.print(text + "\n")?;
    Ok(Exit::Success)
}

/// Reads the image, and the details of the platform that is asked for.
async fn read(image: &Named, wanted: Option<&Platform>) -> Result<ImageView, Error> {
    let Named { source, target } = image;
    let root = source.fetch_named(target).await?;
    let entries = source.entries(&root).await?;
    let platforms: Vec<_> = entries.iter().map(|entry| entry.platform.clone()).collect();
    let chosen = image::choose(&platforms, wanted).map_err(|wanted| {
        let kinds: Vec<_> = entries.iter().map(image::Entry::kind).collect();
        source.lacks(&root, wanted, &kinds)
    })?;
    let details = match chosen.and_then(|place| entries.get(place)) {
        Some(entry) => view::read_details(source, entry).await?,
        None => None,
    };
    let referrers = referrers::read(source, root.digest()).await?;
    Ok(ImageView {
        name: source.name.clone(),
        reference: target.to_string(),
        digest: root.digest().clone(),
        media_type: root.media_type().clone(),
        artifact_type: match root.content() {
            Content::Image(image) => image.artifact_type.clone(),
            Content::Index(index) => index.artifact_type.clone(),
        },
        size: image::size(&entries),
        annotations: root.annotations().clone(),
        platforms: entries.iter().map(view::PlatformView::of).collect(),
        image: details,
        referrers,
    })
}
