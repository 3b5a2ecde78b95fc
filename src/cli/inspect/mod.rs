//! `transship inspect`: everything that a registry has to say about an image.

mod referrers;
mod render;
mod verify;
mod view;

use self::view::ImageView;
use super::args::{InspectArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image::{self, Entry, Source};
use super::output::Output;
use super::trust::Trust;
use crate::oci::{Content, Platform, Reference};
use crate::runtime::shutdown::until_signal;

/// Runs `transship inspect`.
pub(super) async fn run(args: &InspectArgs, output: &Output) -> Result<Exit, Error> {
    let inspected = until_signal(inspect(args, output)).await;
    inspected.unwrap_or(Ok(Exit::Interrupted))
}

async fn inspect(args: &InspectArgs, output: &Output) -> Result<Exit, Error> {
    let InspectArgs {
        reference,
        raw,
        platform,
        verify,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let connector = Connector::new(Trust::read(registry)?);
    let Reference {
        registry,
        repository,
        tag: _,
        digest: _,
    } = reference;
    let source = Source {
        client: connector.client(registry, Some(repository)).await?,
        repository: repository.clone(),
    };
    if verify.verify {
        let view = verify::verify(verify, source.client, reference).await?;
        output.print_value(*format, &view, verify::VerifiedView::text)?;
        return Ok(match view.is_verified() {
            true => Exit::Success,
            false => Exit::Failure,
        });
    }
    if *raw {
        let root = source.fetch(&reference.target()).await?;
        output.print(root.bytes())?;
        return Ok(Exit::Success);
    }
    let view = read(&source, reference, platform.as_ref()).await?;
    output.print_value(*format, &view, render::text)?;
    Ok(Exit::Success)
}

/// Reads the image, and the details of the platform that is asked for.
async fn read(
    source: &Source,
    reference: &Reference,
    wanted: Option<&Platform>,
) -> Result<ImageView, Error> {
    let root = source.fetch(&reference.target()).await?;
    let entries = source.entries(&root).await?;
    let chosen = choose(&entries, wanted)
        .map_err(|platforms| Error::Image(format!("{reference} is for {platforms}")))?;
    let details = match chosen {
        Some(entry) => view::read_details(source, entry).await?,
        None => None,
    };
    let referrers = referrers::read(source, root.digest()).await?;
    Ok(ImageView {
        name: source.name(),
        reference: reference.target().to_string(),
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

/// The entry that is asked for; without a wish that for linux on this processor, else the first.
fn choose<'a>(
    entries: &'a [Entry],
    wanted: Option<&Platform>,
) -> Result<Option<&'a Entry>, String> {
    let find = |wanted: &Platform| {
        entries.iter().find(|entry| {
            entry
                .platform
                .as_ref()
                .is_some_and(|platform| wanted.covers(platform))
        })
    };
    match wanted {
        None => Ok(find(&own_platform()).or(entries.first())),
        Some(wanted) => find(wanted).map(Some).ok_or_else(|| {
            let platforms: Vec<String> = entries.iter().map(Entry::kind).collect();
            format!("{}, not for {wanted}", platforms.join(", "))
        }),
    }
}

fn own_platform() -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
        .to_owned(),
        ..Platform::default()
    }
}
