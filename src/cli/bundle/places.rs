// SPDX-License-Identifier: Apache-2.0

//! The files that a bundle and its index are written to: what is wrong with them is said before anything is fetched.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::ends::failed;
use crate::cli::args::CreateBundleArgs;
use crate::cli::error::Error;
use crate::layout::BundleIndex;

/// Looks at the places before there is something to put there.
pub(super) async fn check(args: &CreateBundleArgs) -> Result<(), Error> {
    let CreateBundleArgs {
        file, since, index, ..
    } = args;
    require_place(file)?;
    if let Some(index) = index {
        require_place(index)?;
    }
    let names = [
        ("FILE", Some(file)),
        ("--since", since.as_ref()),
        ("--index", index.as_ref()),
    ];
    let names: Vec<(&str, &PathBuf)> = names
        .into_iter()
        .filter_map(|(name, path)| Some((name, path?)))
        .collect();
    for (number, (name, path)) in names.iter().enumerate() {
        for (other, of_other) in names.iter().take(number) {
            refuse_same(&place(of_other), other, path, name)?;
        }
    }
    match index {
        Some(index) => BundleIndex::try_place(index.clone()).await.map_err(failed),
        None => Ok(()),
    }
}

/// The directory that a file is in.
pub(super) fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        Some(_) | None => Path::new("."),
    }
}

/// A file can be put there, as far as the names tell.
fn require_place(file: &Path) -> Result<(), Error> {
    let shown = file.display();
    let is_directory = file.as_os_str().as_encoded_bytes().ends_with(b"/");
    if is_directory || file.file_name().is_none() {
        return Err(Error::Usage(format!("{shown} names no file")));
    }
    let directory = directory_of(file);
    if !directory.is_dir() {
        let directory = directory.display();
        return Err(Error::Image(format!("there is no directory {directory}")));
    }
    if file.exists() && !file.is_file() {
        let what = "is there and is no file: name another one";
        return Err(Error::Image(format!("{shown} {what}")));
    }
    Ok(())
}

/// A bundle is not written over what it relies on, nor its index over it or over a part of it.
fn refuse_same(first: &Path, name: &str, path: &Path, other: &str) -> Result<(), Error> {
    let (file, shown) = (place(path), path.display());
    if file == first {
        let what = "name another file";
        return Err(Error::Usage(format!(
            "{name} and {other} are both {shown}: {what}"
        )));
    }
    if name == "FILE" && is_part(&file, first) {
        return Err(Error::Usage(format!(
            "{other} is {shown}, which is a part of FILE where that is split: name another file"
        )));
    }
    Ok(())
}

/// Where a file is, or would be, whatever links lead there.
fn place(path: &Path) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    match (directory_of(path).canonicalize(), path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        (Ok(_) | Err(_), _) => path.to_owned(),
    }
}

/// Whether a file has the name of a part of a bundle.
fn is_part(file: &Path, bundle: &Path) -> bool {
    let name = |path: &Path| {
        path.file_name()
            .map(OsStr::as_encoded_bytes)
            .map(<[u8]>::to_vec)
    };
    let (Some(part), Some(whole)) = (name(file), name(bundle)) else {
        return false;
    };
    let number = part.strip_prefix(whole.as_slice());
    let number = number.and_then(|rest| rest.strip_prefix(b"."));
    let is_number =
        number.is_some_and(|digits| digits.len() >= 3 && digits.iter().all(u8::is_ascii_digit));
    is_number && file.parent() == bundle.parent()
}
