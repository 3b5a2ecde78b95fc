// SPDX-License-Identifier: Apache-2.0

//! `transship digest`: what a tag stands for, by one request that no registry counts as a pull.

use schemars::JsonSchema;
use serde::Serialize;

use super::address::image_name;
use super::args::{DigestArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image::Named;
use super::open::open;
use super::output::{Document, Output};
use crate::oci::Digest;
use crate::runtime::shutdown::until_signal;

/// The kind of what machines read.
pub(super) const KIND: &str = "Digest";

/// What machines read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DigestView {
    /// The image as it was named.
    reference: String,
    /// The platform, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    digest: Digest,
}

impl Document for DigestView {
    const KIND: &'static str = KIND;
}

/// Runs `transship digest`.
pub(super) async fn run(args: &DigestArgs, output: &Output) -> Result<Exit, Error> {
    let DigestArgs {
        reference,
        platform,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let connector = Connector::open(registry)?;
    let looked = until_signal(async {
        let Named { source, target } = open(&connector, reference).await?;
        let name = image_name(&source.name, &target);
        let digest = match platform {
            None => source.resolve(&target).await?,
            Some(platform) => {
                let root = source.fetch_named(&target).await?;
                source.select_digest(&root, platform).await?
            }
        };
        Ok::<_, Error>(DigestView {
            reference: name,
            platform: platform.as_ref().map(ToString::to_string),
            digest,
        })
    });
    let Some(view) = looked.await else {
        return Ok(Exit::Interrupted);
    };
    output.print_value(*format, &view?, |view, _| format!("{}\n", view.digest))?;
    Ok(Exit::Success)
}
