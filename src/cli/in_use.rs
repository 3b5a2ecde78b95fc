// SPDX-License-Identifier: Apache-2.0

//! `--in-use-from`: what workloads use, as a cluster or a file tells it.
//!
//! A file is a kubeconfig, what kubectl prints as JSON or YAML, or plain lines of images. What is not
//! understood is refused: an image that was overlooked may be deleted.

pub(super) mod text;

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use self::text::{Contents, TextError};
use crate::controller::workloads::{ClusterWorkloads, Extra};
use crate::plan::in_use::InUse;
use crate::runtime::kubernetes::{self, Clients};
use crate::sync::workloads::{Workloads, WorkloadsError};

/// Largest file that is read, in bytes: that of tens of thousands of pods as JSON.
const FILE_SIZE: u64 = 1024 * 1024 * 1024;
/// The path that means standard input.
const STDIN: &str = "-";
/// The word that means the kubeconfig that kubectl uses.
const USUAL_KUBECONFIG: &str = "kubeconfig";

/// Everything that names an image or may bring one back, as kubectl lists it. Custom resources that make pods
/// come on top.
pub(super) const LISTED: &str =
    "deploy,rs,sts,ds,controllerrevisions,cronjobs,jobs,rc,podtemplates,pods,configmaps,nodes";

/// Why it cannot be known what workloads use.
#[derive(Debug, thiserror::Error)]
pub enum InUseError {
    /// The file cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The file is too large.
    #[error("{file} has more than {FILE_SIZE} bytes: give several files")]
    TooLarge {
        /// The file.
        file: String,
    },
    /// The file is not understood.
    #[error("{file}{}: {source}", source.place())]
    Text {
        /// The file.
        file: String,
        /// Why.
        source: Box<TextError>,
    },
    /// The cluster cannot be reached.
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
}

/// A file of which no more is read than [`FILE_SIZE`].
pub(super) struct Bounded {
    input: BufReader<Box<dyn Read>>,
    /// Bytes that may still be read.
    left: u64,
}

/// What several sources tell.
struct Sources(Vec<Source>);

enum Source {
    Cluster(Box<ClusterWorkloads>),
    File(Box<InUse>),
}

/// What the arguments name; None where they name nothing. Files are read now, clusters at each look.
pub(super) async fn read_workloads(
    arguments: &[PathBuf],
    extra: &[Extra],
) -> Result<Option<Arc<dyn Workloads>>, InUseError> {
    let mut sources = Vec::new();
    for argument in arguments {
        sources.push(Source::read(argument, extra).await?);
    }
    if sources.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(Sources(sources))))
}

// === impl Source ===

impl Source {
    async fn read(argument: &Path, extra: &[Extra]) -> Result<Self, InUseError> {
        if argument == Path::new(USUAL_KUBECONFIG) && !argument.exists() {
            return Self::connect(None, extra).await;
        }
        let file = name(argument);
        match open(argument)
            .map_err(TextError::Read)
            .and_then(|input| Contents::read(input, &file))
        {
            Ok(Contents::Kubeconfig) => Self::connect(Some(argument), extra).await,
            Ok(Contents::Images(in_use)) => Ok(Self::File(in_use)),
            Err(TextError::Read(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(InUseError::TooLarge { file })
            }
            Err(TextError::Read(source)) => Err(InUseError::Read { file, source }),
            Err(source) => Err(InUseError::Text {
                file,
                source: Box::new(source),
            }),
        }
    }

    async fn connect(kubeconfig: Option<&Path>, extra: &[Extra]) -> Result<Self, InUseError> {
        let clients = Clients::configure(kubeconfig, None).await?;
        let workloads = ClusterWorkloads::new(clients.call);
        let workloads = workloads.with_extra(extra.to_vec());
        Ok(Self::Cluster(Box::new(workloads)))
    }
}

/// A file, or standard input.
pub(super) fn open(file: &Path) -> io::Result<Bounded> {
    let input: Box<dyn Read> = if file == Path::new(STDIN) {
        Box::new(io::stdin())
    } else {
        Box::new(std::fs::File::open(file)?)
    };
    Ok(Bounded {
        input: BufReader::new(input),
        left: FILE_SIZE,
    })
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let size = available.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(available) {
            *place = *byte;
        }
        self.consume(size);
        Ok(size)
    }
}

impl BufRead for Bounded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.input.fill_buf()?;
        if self.left == 0 && !available.is_empty() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        Ok(available.get(..most).unwrap_or(available))
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount as u64);
        self.input.consume(amount);
    }
}

fn name(file: &Path) -> String {
    if file == Path::new(STDIN) {
        return "stdin".to_owned();
    }
    file.display().to_string()
}

// === impl Sources ===

impl Sources {
    async fn look(&self) -> Result<InUse, WorkloadsError> {
        let mut in_use = InUse::default();
        for source in &self.0 {
            in_use.merge(match source {
                Source::Cluster(cluster) => Workloads::look(cluster.as_ref()).await?,
                Source::File(in_use) => InUse::clone(in_use),
            });
        }
        Ok(in_use)
    }
}

impl Workloads for Sources {
    fn look(&self) -> BoxFuture<'_, Result<InUse, WorkloadsError>> {
        self.look().boxed()
    }
}
