// SPDX-License-Identifier: Apache-2.0

//! Finds the layouts below a directory.

use std::fs;
use std::path::Path;

use super::error::Action;
use super::marker::{BLOBS, is_layout};
use super::{Error, files};
use crate::oci::digest::Algorithm;
use crate::oci::{Repository, limits};

/// The repositories that have a layout below `root`, sorted. Links to directories are not followed:
/// they could lead out of the tree, or round in it.
pub(super) fn find_repositories(root: &Path) -> Result<Vec<Repository>, Error> {
    if is_layout(root) {
        return Err(Error::NotATree {
            path: root.to_owned(),
        });
    }
    let mut found = Vec::new();
    let mut pending = vec![String::new()];
    while let Some(name) = pending.pop() {
        let directory = match name.as_str() {
            "" => root.to_owned(),
            name => root.join(name),
        };
        if let Ok(repository) = name.parse()
            && is_layout(&directory)
        {
            found.push(repository);
        }
        for component in list_directories(&directory, name.is_empty())? {
            if is_blob_directory(&name, &component) {
                continue;
            }
            let below = join(&name, &component);
            // A directory whose name no repository has cannot have one below it either.
            if below.parse::<Repository>().is_ok() {
                pending.push(below);
            }
        }
        if found.len() + pending.len() > limits::LIST_ENTRIES {
            return Err(Error::TooMany {
                path: root.to_owned(),
                what: "directories",
                most: limits::LIST_ENTRIES,
            });
        }
    }
    found.sort();
    Ok(found)
}

/// The names of the directories in a directory; none where it has just gone.
fn list_directories(directory: &Path, is_root: bool) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(cause) if files::is_absent(&cause) && is_root => {
            return Err(Error::NoTree {
                path: directory.to_owned(),
            });
        }
        Err(cause) if files::is_absent(&cause) => return Ok(Vec::new()),
        Err(cause) => return Err(Error::io(Action::List, directory)(cause)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io(Action::List, directory))?;
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if let (true, Ok(name)) = (is_directory, entry.file_name().into_string()) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Whether `component` below `name` holds blobs: there may be a great many, and no layouts.
fn is_blob_directory(name: &str, component: &str) -> bool {
    name.rsplit('/').next() == Some(BLOBS)
        && [Algorithm::Sha256, Algorithm::Sha512]
            .iter()
            .any(|algorithm| algorithm.as_str() == component)
}

fn join(name: &str, component: &str) -> String {
    if name.is_empty() {
        component.to_owned()
    } else {
        format!("{name}/{component}")
    }
}
