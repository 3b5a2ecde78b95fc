// SPDX-License-Identifier: Apache-2.0

//! What the page of `transship sync` shows: the mirrors of documents, and what became of them in this process.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::core::DeserializeGuard;
use tokio::sync::Notify;

use super::args::DocumentArgs;
use super::documents::{self, WrittenObjects};
use super::error::Error;
use super::output_file::PageFile;
use crate::api::annotations::Requests;
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::{ImageMirror, ImagePolicy};
use crate::controller::page::{
    Collected, NotShown, PageSettings, PageSource, RegistryTallies, Visible, concerning, leaving,
};
use crate::oci::Digest;
use crate::page::{PageScene, Search, render_page};
use crate::plan::mirror_home::{MirrorFiles, MirrorHome};
use crate::plan::named_mirror::NamedMirror;
use crate::plan::report::MirrorReport;
use crate::plan::status::{self, Round, Tries};
use crate::plan::why::{KnownRecords, RecordQuery};
use crate::runtime::clock;
use crate::sync::Ledger;

/// The generation of all documents: they do not change while they are looked at.
const GENERATION: i64 = 1;
/// Files that are named for people; of more their number is told.
const FILES: usize = 3;

/// The mirrors of documents, and what became of them.
pub(super) struct SyncBoard {
    home: MirrorHome,
    place: String,
    mirrors: Vec<ImageMirror>,
    policies: Vec<Arc<DeserializeGuard<ImagePolicy>>>,
    ledger: Arc<Ledger>,
    tallies: Arc<RegistryTallies>,
    progress: Mutex<HashMap<String, RoundsSoFar>>,
    /// Told that something changed.
    changed: Notify,
}

/// What came of the rounds of a mirror.
#[derive(Default)]
struct RoundsSoFar {
    status: ImageMirrorStatus,
    /// How often was tried what fails.
    tries: Tries,
}

/// Where the page is shown, as far as it is.
pub(super) struct Pages {
    /// Where it is served.
    pub(super) served: Option<PageSettings>,
    /// The file into which it is written.
    pub(super) file: Option<PageFile>,
}

/// A round that has ended.
pub(super) struct EndedRound<'a> {
    /// What came of it.
    pub(super) report: &'a MirrorReport,
    /// When it began.
    pub(super) began: Timestamp,
    /// When the next one begins.
    pub(super) next: Option<Timestamp>,
}

// === impl SyncBoard ===

impl SyncBoard {
    /// No round has run yet.
    pub(super) fn new(
        arguments: &DocumentArgs,
        is_watched: bool,
        written: &WrittenObjects,
        ledger: &Arc<Ledger>,
        tallies: &Arc<RegistryTallies>,
    ) -> Self {
        let mirrors = written.mirrors.iter().cloned().map(|mut mirror| {
            let NamedMirror { namespace, name: _ } = NamedMirror::of(&mirror);
            mirror.metadata.namespace = Some(namespace);
            mirror.metadata.generation = Some(GENERATION);
            mirror
        });
        let policies = written.policies.iter().cloned();
        Self {
            home: home(arguments, is_watched),
            place: place(&arguments.filename),
            mirrors: mirrors.collect(),
            policies: policies
                .map(|policy| Arc::new(DeserializeGuard(Ok(policy))))
                .collect(),
            ledger: ledger.clone(),
            tallies: tallies.clone(),
            progress: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// A round of a mirror begins.
    pub(super) fn begin(&self, mirror: &str) {
        let mut progress = self.lock();
        let known = progress.entry(mirror.to_owned()).or_default();
        known.status = status::begin(&known.status, GENERATION, clock::now());
    }

    /// A round of a mirror has ended.
    pub(super) fn finish(&self, ended: &EndedRound<'_>) {
        let EndedRound {
            report,
            began,
            next,
        } = *ended;
        let mut progress = self.lock();
        let known = progress.entry(report.mirror.clone()).or_default();
        let round = Round {
            generation: GENERATION,
            report,
            began,
            ended: clock::now(),
            next,
            // They are those of the documents, all the time.
            policies: &Digest::sha256(b""),
        };
        let (status, tries) =
            status::finish(&known.status, &known.tries, &round, Requests::default());
        *known = RoundsSoFar { status, tries };
        self.changed.notify_one();
    }

    /// Waits for the end of a round that nobody has waited for yet.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Writes the page as one file, the whole of it or nothing.
    pub(super) fn write(&self, file: &PageFile) -> Result<(), Error> {
        let collected = self.collect();
        let page = render_page(&PageScene {
            place: &self.place,
            home: &self.home,
            known: &collected.known(),
            unreadable: &[],
            traffic: &collected.traffic,
            sharing: None,
            search: Search::File(&[]),
            now: clock::now(),
        });
        let page = page.map_err(|error| Error::Output(io::Error::other(error)))?;
        Ok(file.write(&page)?)
    }

    fn collect(&self) -> Collected {
        let progress = self.lock();
        let mirrors = self.mirrors.iter().cloned().map(|mut mirror| {
            let known = progress.get(&NamedMirror::of(&mirror).to_string());
            mirror.status = known.map(|known| known.status.clone());
            mirror
        });
        let mirrors: Vec<ImageMirror> = mirrors.collect();
        drop(progress);
        Collected {
            leaving: mirrors
                .iter()
                .flat_map(|mirror| leaving(&self.ledger, mirror))
                .collect(),
            policies: self.policies.clone(),
            traffic: self.tallies.all(),
            sharing: None,
            mirrors: mirrors
                .into_iter()
                .map(|mirror| Arc::new(DeserializeGuard(Ok(mirror))))
                .collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, RoundsSoFar>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PageSource for SyncBoard {
    fn home(&self) -> &MirrorHome {
        &self.home
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn look(&self, _visible: &Visible) -> Result<Collected, NotShown> {
        Ok(self.collect())
    }

    fn records(&self, mirror: &ImageMirror, query: RecordQuery<'_>) -> KnownRecords<'static> {
        concerning(&self.ledger, mirror, query)
    }
}

/// Where the mirrors of these documents are kept.
pub(super) fn home(arguments: &DocumentArgs, is_watched: bool) -> MirrorHome {
    MirrorHome::Files(MirrorFiles {
        flags: flags(arguments),
        is_watched,
    })
}

/// Which files the mirrors are in.
fn place(files: &[PathBuf]) -> String {
    let names: BTreeSet<String> = files.iter().map(|file| documents::name(file)).collect();
    if names.len() > FILES {
        return format!("of {} files", names.len());
    }
    format!("of {}", Vec::from_iter(names).join(", "))
}

/// The flags that name these documents and their state, as they are typed.
fn flags(arguments: &DocumentArgs) -> String {
    let DocumentArgs {
        filename,
        set_env,
        mirror: _,
        from_layout,
        to_layout,
        state,
        lock_timeout: _,
    } = arguments;
    let files = filename.iter().map(|file| ("-f", file));
    let from = from_layout.iter().map(|path| ("--from-layout", path));
    let to = to_layout.iter().map(|path| ("--to-layout", path));
    let state = state.iter().map(|path| ("--state", path));
    let paths = files.chain(from).chain(to).chain(state);
    let paths = paths.map(|(flag, path)| format!("{flag} {}", typed(&path.to_string_lossy())));
    let set_env = set_env.then(|| "--set-env".to_owned());
    paths.chain(set_env).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
fn typed(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "/._-+:@%,=".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn documents_are_named_as_they_are_typed() {
        let arguments = DocumentArgs::as_written(
            &["mirror.yaml".into(), "our mirrors/it's".into()],
            true,
            &[],
            Some(Path::new("state.json")),
        );
        assert_eq!(
            flags(&arguments),
            r"-f mirror.yaml -f 'our mirrors/it'\''s' --state state.json --set-env"
        );
        assert_eq!(
            place(&arguments.filename),
            "of mirror.yaml, our mirrors/it's"
        );
        let many: Vec<PathBuf> = (0..4)
            .map(|number| format!("{number}.yaml").into())
            .collect();
        assert_eq!(place(&many), "of 4 files");
    }
}
