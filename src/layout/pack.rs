// SPDX-License-Identifier: Apache-2.0

//! Packs image layouts into one archive. What was packed is removed at once, so that the disk holds it once.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::archive::{ArchiveForm, Format, Item, MANIFEST, Packed, Writer, familiar};
use super::error::{Action, Error};
use super::files;
use super::index::Index;
use super::marker::{self, BLOBS, INDEX, MARKER};
use super::store::Store;
use crate::oci::{Content, Digest};

/// Packs the layouts into a file, which appears as a whole or not at all. Returns its length.
pub(super) fn pack(target: &Path, format: Format, images: &[Packed]) -> Result<u64, Error> {
    let directory = match target.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let mut writer = Writer::create(directory, ArchiveForm::default())?;
    let mut index = Index::empty();
    let mut items = Vec::new();
    for image in images {
        let store = Store::new(image.directory.clone());
        let of_image = store.read_index()?;
        items.extend(item(&store, &of_image, image)?);
        index.merge(&of_image, image.name.as_deref());
    }
    writer.add(MARKER, marker::CONTENT)?;
    writer.add(INDEX, &index.render())?;
    if format == Format::Docker {
        let document: Value = items
            .iter()
            .map(serde_json::to_value)
            .filter_map(Result::ok)
            .collect();
        writer.add(MANIFEST, document.to_string().as_bytes())?;
    }
    let mut packed = HashSet::new();
    for image in images {
        for digest in blobs(&image.directory)? {
            let path = Store::new(image.directory.clone()).blob_path(&digest);
            if packed.insert(digest.clone()) {
                writer.add_file(&blob_name(&digest), &path)?;
            }
            // It is in the archive by now, and the layout was made for that.
            let _ = fs::remove_file(&path);
        }
    }
    writer.finish(target)
}

/// What `docker load` reads of an image: nothing of an index, which it does not understand.
fn item(store: &Store, index: &Index, image: &Packed) -> Result<Option<Item>, Error> {
    let Some(entry) = index
        .entries()
        .iter()
        .find(|entry| entry.tag.is_some())
        .or(index.entries().first())
    else {
        return Ok(None);
    };
    let digest = &entry.descriptor.digest;
    let Some(manifest) = store.read_manifest(digest, Some(&entry.descriptor.media_type))? else {
        return Ok(None);
    };
    let Content::Image(content) = manifest.content() else {
        return Ok(None);
    };
    let Some(config) = &content.config else {
        return Ok(None);
    };
    let name = image.name.as_deref().map(|name| familiar(name).to_owned());
    Ok(Some(Item {
        config: blob_name(&config.digest),
        repo_tags: Some(name.into_iter().collect()),
        layers: Some(
            content
                .layers
                .iter()
                .map(|layer| blob_name(&layer.digest))
                .collect(),
        ),
    }))
}

/// The blobs of a layout, sorted.
fn blobs(directory: &Path) -> Result<Vec<Digest>, Error> {
    let mut found = Vec::new();
    let root = directory.join(BLOBS);
    for algorithm in ["sha256", "sha512"] {
        let below = root.join(algorithm);
        let entries = match fs::read_dir(&below) {
            Ok(entries) => entries,
            Err(cause) if files::is_absent(&cause) => continue,
            Err(cause) => return Err(Error::io(Action::List, &below)(cause)),
        };
        for entry in entries {
            let entry = entry.map_err(Error::io(Action::List, &below))?;
            let name = entry.file_name();
            found.extend(
                format!("{algorithm}:{}", name.to_string_lossy())
                    .parse::<Digest>()
                    .ok(),
            );
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn blob_name(digest: &Digest) -> String {
    format!(
        "{BLOBS}/{}/{}",
        digest.algorithm().as_str(),
        digest.encoded()
    )
}
