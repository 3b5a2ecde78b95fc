// SPDX-License-Identifier: Apache-2.0

//! What a registry has of an image, byte for byte: `transship manifest`, `transship config`, and the same by `inspect`.

use crate::cli::args::{ConfigArgs, ManifestArgs};
use crate::cli::connect::Connector;
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::image::Named;
use crate::cli::open::open;
use crate::cli::output::Output;
use crate::oci::Platform;
use crate::runtime::shutdown::until_signal;

/// Runs `transship manifest`.
pub(in crate::cli) async fn print_manifest(
    args: &ManifestArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let ManifestArgs {
        reference,
        platform,
        registry,
    } = args;
    let connector = Connector::open(registry)?;
    let read = until_signal(async {
        let image = open(&connector, reference).await?;
        manifest(&image, platform.as_ref()).await
    });
    print(read.await, output)
}

/// Runs `transship config`.
pub(in crate::cli) async fn print_config(
    args: &ConfigArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let ConfigArgs {
        reference,
        platform,
        registry,
    } = args;
    let connector = Connector::open(registry)?;
    let read = until_signal(async {
        let image = open(&connector, reference).await?;
        config(&image, platform.as_ref()).await
    });
    print(read.await, output)
}

fn print(read: Option<Result<Vec<u8>, Error>>, output: &Output) -> Result<Exit, Error> {
    let Some(bytes) = read else {
        return Ok(Exit::Interrupted);
    };
    output.print(bytes?)?;
    Ok(Exit::Success)
}

/// The manifest or index that is named, or the manifest of its image for a platform.
pub(super) async fn manifest(
    Named { source, target }: &Named,
    platform: Option<&Platform>,
) -> Result<Vec<u8>, Error> {
    let root = source.fetch_named(target).await?;
    if platform.is_none() {
        return Ok(root.bytes().to_vec());
    }
    let entry = source.select(&root, platform).await?;
    Ok(entry.manifest.bytes().to_vec())
}

/// The config of the image for a platform: linux on this processor where none is named.
pub(super) async fn config(
    Named { source, target }: &Named,
    platform: Option<&Platform>,
) -> Result<Vec<u8>, Error> {
    let root = source.fetch_named(target).await?;
    let entry = source.select(&root, platform).await?;
    source.config_bytes(&entry.manifest).await
}
