// SPDX-License-Identifier: Apache-2.0

//! From where to where images are copied.

use super::super::connect::Connector;
use super::super::error::Error;
use super::super::image::Named;
use super::super::location::Location;
use super::super::open::open;
use crate::copy::Endpoint;
use crate::oci::{Platform, Repository, Tag};

/// From where to where.
pub(super) struct Way {
    pub(super) source: Named,
    pub(super) endpoint: Endpoint,
    pub(super) repository: Repository,
    /// The destination as people write it, without tag or digest.
    pub(super) name: String,
    /// Of an image of several platforms, the only one that is copied, as an image of its own.
    pub(super) single: Option<Single>,
}

/// Which platform that is.
pub(super) enum Single {
    /// The one that is asked for, which an image of one platform has to be for, too.
    Asked(Platform),
    /// That of this machine. An image of one platform is taken whatever it is for.
    Own(Platform),
}

// === impl Way ===

impl Way {
    /// Opens both ends.
    pub(super) async fn open(
        connector: &Connector,
        source: &Location,
        destination: &Location,
    ) -> Result<Self, Error> {
        let source = open(connector, source).await?;
        let there = open_destination(connector, destination).await?;
        Ok(Self {
            source,
            endpoint: there.source.endpoint,
            repository: there.source.repository,
            name: there.source.name,
            single: None,
        })
    }
}

/// Opens a destination, of which nothing need be there.
async fn open_destination(connector: &Connector, destination: &Location) -> Result<Named, Error> {
    match destination {
        Location::Layout { path, digest, .. } => {
            // A tag is what keeps a layout from being read for the image that is meant.
            let tag = destination.tag().unwrap_or_else(Tag::latest);
            let named = Location::Layout {
                path: path.clone(),
                tag: Some(tag),
                digest: digest.clone(),
            };
            open(connector, &named).await
        }
        Location::Registry(_) | Location::Archive { .. } => open(connector, destination).await,
    }
}
