// SPDX-License-Identifier: Apache-2.0

//! Files with manifests.

use std::path::{Path, PathBuf};

use super::gathered::GatheredImages;
use crate::cli::documents::{self, DocumentsError};
use crate::cli::in_use;
use crate::cli::in_use::text::{TextError, read_objects};
use crate::controller::workloads::Gather as _;
use crate::runtime::kubernetes;

/// Why manifests cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestsError {
    /// A directory cannot be read, or has none.
    #[error(transparent)]
    Directory(#[from] DocumentsError),
    /// A file is not understood.
    #[error("{file}{}: {source}", place(*document, source))]
    Text {
        /// The file.
        file: String,
        /// Which of its documents, from 1; 0 where it is not known.
        document: usize,
        /// Why.
        source: Box<TextError>,
    },
    /// A file says where a cluster is.
    #[error("{file} is a kubeconfig: ask its cluster with --from-cluster --kubeconfig {file}")]
    Kubeconfig {
        /// The file.
        file: String,
    },
    /// There is no object.
    #[error("there is no object in {files}: look at the command that wrote it")]
    Empty {
        /// The files.
        files: String,
    },
    /// The cluster cannot be reached.
    #[error(transparent)]
    Kubernetes(kubernetes::Error),
}

/// Everything that files and directories name.
pub(super) fn read(
    paths: &[PathBuf],
    empty: &GatheredImages,
) -> Result<GatheredImages, ManifestsError> {
    let mut all = empty.clone();
    for path in paths {
        for file in documents::list_files(path)? {
            all.merge(read_file(&file, empty)?);
        }
    }
    if all.is_empty() && !paths.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| documents::name(path)).collect();
        let files = names.join(", ");
        return Err(ManifestsError::Empty { files });
    }
    Ok(all)
}

fn read_file(path: &Path, empty: &GatheredImages) -> Result<GatheredImages, ManifestsError> {
    let file = documents::name(path);
    let mut images = empty.in_file(&file);
    let read = in_use::open(path).map_err(TextError::Read);
    let read = read.and_then(|input| read_objects(&mut images, input, &file));
    match read {
        Ok(false) => Ok(images),
        Ok(true) => Err(ManifestsError::Kubeconfig { file }),
        Err(source) => Err(ManifestsError::Text {
            file,
            document: images.document(),
            source: Box::new(source),
        }),
    }
}

/// As it stands behind the name of a file: a line, or a document.
fn place(document: usize, source: &TextError) -> String {
    let line = source.place();
    if line.is_empty() && document > 0 && !matches!(source, TextError::Read(_)) {
        return format!(": document {document}");
    }
    line
}
