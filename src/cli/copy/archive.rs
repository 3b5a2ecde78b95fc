// SPDX-License-Identifier: Apache-2.0

//! An archive as a destination: images are gathered in layouts beside it, and packed when all of them are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::super::args::CopyArgs;
use super::super::connect::Connector;
use super::super::error::Error;
use super::super::image::{self, Named};
use super::super::location::{ArchiveKind, Location};
use super::super::open::open;
use super::way::{Single, Way};
use crate::api::Reason;
use crate::copy::{Endpoint, endpoint};
use crate::layout::{Format, Layout, Packed};
use crate::oci::{Reference, Repository, Tag};
use crate::plan::report::Failure;

/// Where images wait until they are packed. Gone with this value.
pub(super) struct Staging {
    archive: PathBuf,
    kind: ArchiveKind,
    /// The name that the destination gives its image.
    name: Option<String>,
    directory: PathBuf,
    layout: Layout,
    packed: Mutex<Vec<Packed>>,
}

// === impl Staging ===

impl Staging {
    /// Room beside an archive; none where the destination is something else.
    pub(super) fn for_archive(
        destination: &Location,
        args: &CopyArgs,
    ) -> Result<Option<Self>, Error> {
        let Location::Archive { kind, path, name } = destination else {
            return Ok(None);
        };
        if args.sparing.no_clobber && path.exists() {
            return Err(Error::Image(format!(
                "{} exists, and --no-clobber leaves it alone",
                path.display()
            )));
        }
        let beside = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !beside.is_dir() {
            return Err(Error::Image(format!(
                "there is no directory {}",
                beside.display()
            )));
        }
        let directory = beside.join(format!(".transship-{:016x}", fastrand::u64(..)));
        Ok(Some(Self {
            archive: path.clone(),
            kind: *kind,
            name: name.clone(),
            layout: Layout::open(directory.clone()),
            directory,
            packed: Mutex::default(),
        }))
    }

    /// The way from a source to here. `docker load` takes one platform of an image: that of its manifest is copied.
    pub(super) async fn way(
        &self,
        connector: &Connector,
        source: &Location,
        args: &CopyArgs,
    ) -> Result<Way, Error> {
        let named = open(connector, source).await?;
        Ok(Way {
            source: named,
            endpoint: Endpoint::Layout(self.layout.clone()),
            repository: Self::repository(0)?,
            name: self.archive.display().to_string(),
            single: match (self.kind, args.platform.first()) {
                (ArchiveKind::Oci, _) => None,
                (ArchiveKind::Docker, Some(platform)) => Some(Single::Asked(platform.clone())),
                (ArchiveKind::Docker, None) => Some(Single::Own(image::own_platform())),
            },
        })
    }

    /// Room for one more image.
    pub(super) fn add(
        &self,
        source: &Location,
        named: &Named,
        tag: Option<&Tag>,
    ) -> Result<Repository, Error> {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        let repository = Self::repository(packed.len())?;
        packed.push(Packed {
            directory: self.directory.join(repository.as_str()),
            name: name(self.kind, self.name.as_deref(), source, named, tag),
        });
        Ok(repository)
    }

    fn repository(number: usize) -> Result<Repository, Error> {
        let parsed: Result<Repository, _> = format!("image-{number}").parse();
        parsed.map_err(|error| Error::Image(error.to_string()))
    }

    /// That there is no archive because an image of it failed.
    pub(super) fn unwritten(&self) -> Failure {
        Failure {
            subject: self.archive.display().to_string(),
            reason: Reason::CopyFailed,
            message: "the archive was not written, for not every image could be copied".to_owned(),
            next_attempt_time: None,
            is_of_tag: false,
        }
    }

    /// Writes the archive.
    pub(super) async fn pack(self) -> Result<(), Error> {
        let packed = self
            .packed
            .lock()
            .map(|packed| packed.clone())
            .unwrap_or_default();
        let format = match self.kind {
            ArchiveKind::Oci => Format::Oci,
            ArchiveKind::Docker => Format::Docker,
        };
        let written = Layout::pack(self.archive.clone(), format, packed).await;
        written.map_err(endpoint::Error::from)?;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Nothing is there where nothing was copied.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The full name of an image in an archive: the one that the destination gives it, else that of its source.
fn name(
    kind: ArchiveKind,
    given: Option<&str>,
    source: &Location,
    named: &Named,
    tag: Option<&Tag>,
) -> Option<String> {
    let is_name = |given: &&str| kind == ArchiveKind::Docker || given.contains([':', '/']);
    if let Some(given) = given.filter(is_name) {
        let reference: Option<Reference> = given.parse().ok();
        return Some(
            reference.map_or(given.to_owned(), |reference| match &reference.tag {
                Some(_) => reference.to_string(),
                None => format!("{reference}:latest"),
            }),
        );
    }
    let tag = tag?;
    match source {
        Location::Registry(_) => Some(format!("{}:{tag}", named.source.name)),
        Location::Archive { name, .. } => name.clone(),
        Location::Layout { .. } => None,
    }
}
