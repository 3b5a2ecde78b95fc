// SPDX-License-Identifier: Apache-2.0

//! From the files of `-f` to mirrors that can be run.
//!
//! All files are read and checked before anything is done, and everything that is wrong with them is
//! said at once.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tracing::info;

use super::args::DocumentArgs;
use super::secrets::Secrets;
use crate::api::document::{self, Document, DocumentError, Resource, Unset};
use crate::api::metadata::namespace;
use crate::api::{ImageMirror, ImagePolicy, MirroredRepository, ObjectName};
use crate::convert;
use crate::identity::Identities;
use crate::plan::{self, Access, InvalidField, Mirror, Policy};
use crate::sync::reach::MirrorReach;

/// Endings of the files that are read in a directory.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// The path that means standard input.
const STDIN: &str = "-";
/// Most kinds that are named where none is a mirror.
const KINDS: usize = 5;

/// A mirror and how its registries are reached.
#[derive(Debug)]
pub(super) struct Runnable {
    /// The mirror.
    pub(super) mirror: Mirror,
    /// How its registries are reached.
    pub(super) reach: MirrorReach,
}

/// What documents say.
#[derive(Debug)]
pub(super) struct Documents {
    /// The mirrors to run, in the order of the files.
    pub(super) runnables: Vec<Runnable>,
    /// Those that `--mirror` leaves out.
    pub(super) left_out: Vec<Mirror>,
    /// What a controller has on record, as `kubectl get -o yaml` prints it.
    pub(super) records: Vec<MirroredRepository>,
    /// The mirrors to run, and all policies, as they are written.
    pub(super) written: WrittenObjects,
}

/// Objects as documents have them.
#[derive(Debug)]
pub(super) struct WrittenObjects {
    pub(super) mirrors: Vec<ImageMirror>,
    pub(super) policies: Vec<ImagePolicy>,
}

/// Documents that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// A file or directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory has no documents.
    #[error("{} has no file that ends in .yaml, .yml or .json{}", path.display(), below(*.has_directories))]
    EmptyDirectory {
        /// The directory.
        path: PathBuf,
        /// Whether it has directories.
        has_directories: bool,
    },
    /// A file is that of another tool.
    #[error(
        "{file} is a file of {tool}: `transship convert {tool} {file}` writes it as mirrors, see transship convert --help"
    )]
    Foreign {
        /// The file.
        file: String,
        /// The tool.
        tool: &'static str,
    },
    /// There is nothing to run.
    #[error("there is no ImageMirror in {files}{}", instead(.found, .files))]
    NoMirror {
        /// The files.
        files: String,
        /// The kinds that are there.
        found: BTreeSet<String>,
    },
    /// A mirror is asked for that does not exist.
    #[error("there is no ImageMirror {name:?}: there are {known}")]
    UnknownMirror {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// Documents are wrong; one line each.
    #[error("{}", lines(.0))]
    Wrong(Vec<DocumentError>),
}

/// A mirror and the document that it was written in.
type Placed<'a> = (&'a Document, Mirror);

/// Reads and checks everything that the arguments name.
pub(super) fn read(
    args: &DocumentArgs,
    identities: &Identities,
) -> Result<Documents, DocumentsError> {
    let Found {
        documents,
        others,
        foreign,
    } = read_files(&args.filename, args.set_env)?;
    document::refuse_duplicate_objects(&documents).map_err(wrong)?;
    let mirrors = validate(&documents)?;
    if mirrors.is_empty() {
        let names: Vec<String> = args.filename.iter().map(|path| name(path)).collect();
        let kinds = documents.iter();
        let kinds = kinds.map(|document| document.resource.kind().to_owned());
        return Err(foreign.unwrap_or(DocumentsError::NoMirror {
            files: names.join(", "),
            found: others.into_iter().chain(kinds).collect(),
        }));
    }
    let (chosen, left_out) = choose(mirrors, &args.mirror)?;
    let written = WrittenObjects::of(&documents, &chosen);
    Ok(Documents {
        runnables: take_secrets(chosen, &documents, args, identities)?,
        left_out: left_out.into_iter().map(|(_, mirror)| mirror).collect(),
        records: written_records(&documents).cloned().collect(),
        written,
    })
}

/// The mirrors of a text, checked as those of files are.
pub(super) fn read_mirrors(text: &str, name: &str) -> Result<Vec<Mirror>, DocumentsError> {
    let documents = document::parse(text, name).map_err(wrong)?.documents;
    document::refuse_duplicate_objects(&documents).map_err(wrong)?;
    let mirrors = validate(&documents)?.into_iter();
    Ok(mirrors.map(|(_, mirror)| mirror).collect())
}

// === impl WrittenObjects ===

impl WrittenObjects {
    fn of(documents: &[Document], chosen: &[Placed<'_>]) -> Self {
        let is_chosen = |document: &Document| {
            let mut chosen = chosen.iter();
            chosen.any(|(written, _)| std::ptr::eq(*written, document))
        };
        let mirrors = written_mirrors(documents).filter(|(document, _)| is_chosen(document));
        Self {
            mirrors: mirrors.map(|(_, mirror)| mirror.clone()).collect(),
            policies: written_policies(documents)
                .map(|(_, policy)| policy.clone())
                .collect(),
        }
    }
}

// === files ===

/// What files have.
#[derive(Default)]
struct Found {
    documents: Vec<Document>,
    /// The kinds of what is not for Transship.
    others: BTreeSet<String>,
    /// A file of another tool, which counts where nothing else is there.
    foreign: Option<DocumentsError>,
}

fn read_files(paths: &[PathBuf], set_env: bool) -> Result<Found, DocumentsError> {
    let mut found = Found::default();
    for path in paths {
        for file in list_files(path)? {
            let (text, name) = read_file(&file)?;
            let contents = if set_env {
                document::parse_set(&text, &name, &variable)
            } else {
                document::parse(&text, &name)
            };
            let contents = contents.map_err(|error| {
                let foreign = error.is_of_no_object().then(|| foreign(&text, &name));
                foreign.flatten().unwrap_or_else(|| wrong(error))
            })?;
            for other in &contents.others {
                info!(
                    file = name,
                    line = other.origin.position.line,
                    "passed over: {} {} is not for Transship",
                    other.api_version,
                    other.kind
                );
                found.others.insert(other.kind.clone());
            }
            if contents.documents.is_empty() && found.foreign.is_none() {
                found.foreign = foreign(&text, &name);
            }
            found.documents.extend(contents.documents);
        }
    }
    Ok(found)
}

/// That a file is one of another tool, if it is.
fn foreign(text: &str, name: &str) -> Option<DocumentsError> {
    let form = convert::guess(text)?;
    Some(DocumentsError::Foreign {
        file: name.to_owned(),
        tool: form.name(),
    })
}

/// A variable of the environment.
fn variable(name: &str) -> Result<String, Unset> {
    let value = std::env::var_os(name).ok_or(Unset::Missing)?;
    value.into_string().map_err(|_| Unset::NotText)
}

/// A file is itself; of a directory the files with documents, sorted, without those of directories below.
pub(super) fn list_files(path: &Path) -> Result<Vec<PathBuf>, DocumentsError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let listed = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files: Vec<PathBuf> = listed.map_err(|source| DocumentsError::Read {
        path: path.to_owned(),
        source,
    })?;
    let has_directories = files.iter().any(|file| file.is_dir());
    files.retain(|file| is_document(file) && !file.is_dir());
    files.sort();
    if files.is_empty() {
        return Err(DocumentsError::EmptyDirectory {
            path: path.to_owned(),
            has_directories,
        });
    }
    Ok(files)
}

fn is_document(file: &Path) -> bool {
    file.extension()
        .is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
}

/// The text of a file, and its name for errors.
pub(super) fn read_file(file: &Path) -> Result<(String, String), DocumentsError> {
    let text = read_text(file).map_err(|source| DocumentsError::Read {
        path: file.to_owned(),
        source,
    })?;
    Ok((text, name(file)))
}

fn read_text(file: &Path) -> io::Result<String> {
    if file == Path::new(STDIN) {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file)
}

pub(super) fn name(file: &Path) -> String {
    if file == Path::new(STDIN) {
        return "stdin".to_owned();
    }
    file.display().to_string()
}

// === checks ===

/// The mirrors; or else all that is wrong with policies, used or not, and with mirrors.
fn validate(documents: &[Document]) -> Result<Vec<Placed<'_>>, DocumentsError> {
    let mut policies = Vec::new();
    let mut errors = Vec::new();
    for (document, policy) in written_policies(documents) {
        policies.push(policy);
        let invalid = Policy::validate(policy).err().unwrap_or_default();
        errors.extend(errors_at(document, invalid));
    }
    let mut mirrors = Vec::new();
    for (document, mirror) in written_mirrors(documents) {
        match plan::validate(mirror, &policies) {
            Ok(mirror) => {
                let order = mirrors.len();
                mirrors.push((document, Mirror { order, ..mirror }));
            }
            Err(invalid) => errors.extend(errors_at(document, invalid)),
        }
    }
    refuse(errors)?;
    Ok(mirrors)
}

/// The mirrors that are asked for, and the others.
fn choose<'a>(
    mirrors: Vec<Placed<'a>>,
    names: &[String],
) -> Result<(Vec<Placed<'a>>, Vec<Placed<'a>>), DocumentsError> {
    let is_named = |mirror: &Mirror, name: &String| {
        mirror.name == *name || mirror.name.rsplit('/').next() == Some(name.as_str())
    };
    for name in names {
        if !mirrors.iter().any(|(_, mirror)| is_named(mirror, name)) {
            let known: Vec<&str> = mirrors
                .iter()
                .map(|(_, mirror)| mirror.name.as_str())
                .collect();
            return Err(DocumentsError::UnknownMirror {
                name: name.clone(),
                known: known.join(", "),
            });
        }
    }
    Ok(mirrors.into_iter().partition(|(_, mirror)| {
        names.is_empty() || names.iter().any(|name| is_named(mirror, name))
    }))
}

/// Brings together mirrors and their Secrets. Registries that a directory stands in for need none.
fn take_secrets(
    mirrors: Vec<Placed<'_>>,
    documents: &[Document],
    args: &DocumentArgs,
    identities: &Identities,
) -> Result<Vec<Runnable>, DocumentsError> {
    let mut runnables = Vec::new();
    let mut errors = Vec::new();
    for (document, mut mirror) in mirrors {
        if args.from_layout.is_some() {
            mirror.source.access = Access::default();
        }
        if args.to_layout.is_some() {
            for destination in &mut mirror.destinations {
                destination.access = Access::default();
            }
        }
        let secrets = Secrets::of(documents, &mirror.namespace, identities);
        match MirrorReach::read(&mirror, &secrets) {
            Ok(reach) => runnables.push(Runnable { mirror, reach }),
            Err(invalid) => errors.extend(invalid.into_iter().map(|field| {
                let policy = field.policy.as_ref();
                let policy = policy.and_then(|name| find_policy(documents, &mirror, name));
                let written = policy.unwrap_or(document);
                written.error_at(&field.path, field.source.to_string())
            })),
        }
    }
    refuse(errors)?;
    Ok(runnables)
}

/// The document of a policy of a mirror.
fn find_policy<'a>(
    documents: &'a [Document],
    mirror: &Mirror,
    name: &ObjectName,
) -> Option<&'a Document> {
    let found = written_policies(documents).find(|(_, policy)| {
        policy.metadata.name.as_deref() == Some(name.as_str())
            && namespace(&policy.metadata) == mirror.namespace
    });
    found.map(|(document, _)| document)
}

fn written_policies(documents: &[Document]) -> impl Iterator<Item = (&Document, &ImagePolicy)> {
    documents
        .iter()
        .filter_map(|document| match &document.resource {
            Resource::ImagePolicy(policy) => Some((document, &**policy)),
            Resource::ImageMirror(_) | Resource::MirroredRepository(_) | Resource::Secret(_) => {
                None
            }
        })
}

fn written_mirrors(documents: &[Document]) -> impl Iterator<Item = (&Document, &ImageMirror)> {
    documents
        .iter()
        .filter_map(|document| match &document.resource {
            Resource::ImageMirror(mirror) => Some((document, &**mirror)),
            Resource::ImagePolicy(_) | Resource::MirroredRepository(_) | Resource::Secret(_) => {
                None
            }
        })
}

fn written_records(documents: &[Document]) -> impl Iterator<Item = &MirroredRepository> {
    documents
        .iter()
        .filter_map(|document| match &document.resource {
            Resource::MirroredRepository(record) => Some(&**record),
            Resource::ImageMirror(_) | Resource::ImagePolicy(_) | Resource::Secret(_) => None,
        })
}

// === errors ===

fn errors_at(document: &Document, invalid: Vec<InvalidField>) -> Vec<DocumentError> {
    invalid
        .into_iter()
        .map(|field| document.error_at(&field.path, field.message))
        .collect()
}

fn refuse(errors: Vec<DocumentError>) -> Result<(), DocumentsError> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(DocumentsError::Wrong(errors))
}

fn wrong(error: DocumentError) -> DocumentsError {
    DocumentsError::Wrong(vec![error])
}

/// What to do where documents may be further down.
fn below(has_directories: bool) -> &'static str {
    if has_directories {
        ": name the directories below it one by one, they are not looked into"
    } else {
        ""
    }
}

/// What is there in place of a mirror, and what to do about it.
fn instead(found: &BTreeSet<String>, files: &str) -> String {
    let ours = ["ImagePolicy", "Secret", "MirroredRepository"];
    let kinds = found.iter().take(KINDS).cloned();
    let kinds: Vec<String> = kinds.collect();
    let named = kinds.join(", ");
    if kinds.is_empty() {
        ": nothing is there, `transship init` writes a first one".to_owned()
    } else if found.iter().any(|kind| ours.contains(&kind.as_str())) {
        format!(": it has {named}, name the file of the mirror with -f, too")
    } else {
        format!(
            ": it has {named}; `transship images -f {files} -o mirror` writes one for the images that manifests name"
        )
    }
}

fn lines(errors: &[DocumentError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
