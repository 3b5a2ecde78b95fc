// SPDX-License-Identifier: Apache-2.0

//! Files with manifests.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::gathered::GatheredImages;
use crate::cli::documents::{self, DocumentsError};
use crate::cli::in_use;
use crate::cli::in_use::text::{TextError, read_objects};
use crate::controller::workloads::Gather as _;
use crate::runtime::kubernetes;

/// The file that makes a directory a chart, and the directory of its templates.
const CHART: &str = "Chart.yaml";
const TEMPLATES: &str = "templates";
/// The files of which each makes a directory a kustomization.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

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
    /// A chart is no manifest: its templates are.
    #[error(
        "{chart} is a Helm chart: `helm template {chart} | transship images -` lists the images of what it makes"
    )]
    Chart {
        /// Its directory.
        chart: String,
    },
    /// A kustomization is no manifest: what is built of it is.
    #[error(
        "{directory} is a kustomization: `kustomize build {directory} | transship images -` lists the images of what it makes"
    )]
    Kustomization {
        /// Its directory.
        directory: String,
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
        if path.join(CHART).is_file() {
            let chart = path.display().to_string();
            return Err(ManifestsError::Chart { chart });
        }
        for file in documents::list_files(path)? {
            all.merge(read_file(&file, empty)?);
        }
    }
    let mut kustomizations = paths.iter().filter(|path| is_kustomized(path));
    if all.names_nothing()
        && let Some(directory) = kustomizations.next()
    {
        let directory = directory.display().to_string();
        return Err(ManifestsError::Kustomization { directory });
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
        Err(source) => {
            let is_read = !matches!(source, TextError::Read(_));
            let kustomized = path.parent().filter(|_| is_read && is_kustomization(path));
            Err(match (chart_of(path).filter(|_| is_read), kustomized) {
                (Some(chart), _) => ManifestsError::Chart {
                    chart: chart.display().to_string(),
                },
                (None, Some(directory)) => ManifestsError::Kustomization {
                    directory: directory.display().to_string(),
                },
                (None, None) => ManifestsError::Text {
                    file,
                    document: images.document(),
                    source: Box::new(source),
                },
            })
        }
    }
}

/// The chart of whose templates a file is one.
fn chart_of(template: &Path) -> Option<&Path> {
    let mut above = template.ancestors();
    let templates = above.find(|above| above.file_name().is_some_and(|name| name == TEMPLATES))?;
    let chart = templates.parent()?;
    chart.join(CHART).is_file().then_some(chart)
}

fn is_kustomized(directory: &Path) -> bool {
    let mut files = KUSTOMIZATIONS.iter();
    files.any(|file| directory.join(file).is_file())
}

fn is_kustomization(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str);
    name.is_some_and(|name| KUSTOMIZATIONS.contains(&name))
}

/// As it stands behind the name of a file: a line, or a document.
fn place(document: usize, source: &TextError) -> String {
    let line = source.place();
    if line.is_empty() && document > 0 && !matches!(source, TextError::Read(_)) {
        return format!(": document {document}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[(&str, &str)]) -> String {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let paths = [directory.path().to_owned()];
        let told = match read(&paths, &GatheredImages::new(&[])) {
            Ok(images) => images.into_list().names(),
            Err(error) => error.to_string(),
        };
        told.replace(&directory.path().display().to_string(), "DIR")
    }

    #[test]
    fn what_is_built_first_is_said() {
        let kustomize = "DIR is a kustomization: `kustomize build DIR | transship images -` lists the images of what it makes";
        let typed = "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resources: [../base]}";
        let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: 'quay.io/a/b:1'}]}}";
        for (files, expected) in [
            (vec![("kustomization.yaml", "resources: []")], kustomize),
            (vec![("kustomization.yaml", typed)], kustomize),
            (
                vec![("kustomization.yaml", typed), ("pod.yaml", pod)],
                "quay.io/a/b:1\n",
            ),
        ] {
            assert_eq!(told(&files), expected, "{files:?}");
        }
    }
}
