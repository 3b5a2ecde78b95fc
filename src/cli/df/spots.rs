// SPDX-License-Identifier: Apache-2.0

//! The repositories that are looked at.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::cli::address::{Address, Place};
use crate::cli::args::DocumentArgs;
use crate::cli::connect::{Connector, MirrorConnection, connect};
use crate::cli::documents;
use crate::cli::error::Error;
use crate::cli::open;
use crate::copy::{self, Endpoint};
use crate::layout::Layout;
use crate::oci::Repository;
use crate::plan::{Naming, RepositorySelector};
use crate::sync::{Connect as _, RoundInput};

/// A repository of an endpoint.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) endpoint: Endpoint,
    pub(super) repository: Repository,
    /// Whether it need not exist.
    pub(super) may_be_missing: bool,
}

impl Spot {
    /// The repository as people write it.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.endpoint.name(), self.repository)
    }
}

/// The repositories of a registry or directory, or the one that is named.
pub(super) async fn of_place(connector: &Connector, place: &Place) -> Result<Vec<Spot>, Error> {
    let spot = |endpoint: &Endpoint, repository: Repository| Spot {
        endpoint: endpoint.clone(),
        repository,
        may_be_missing: false,
    };
    match place {
        Place::Directory(path) if Layout::is_layout(path) => {
            let endpoint = Endpoint::Layout(Layout::single(path.clone()));
            Ok(vec![spot(&endpoint, open::local()?)])
        }
        Place::Archive(path) => {
            let source = open::open_all(path).await?;
            Ok(vec![spot(&source.endpoint, source.repository)])
        }
        Place::Directory(directory) => {
            let endpoint = Endpoint::Layout(Layout::open(directory.clone()));
            let repositories = endpoint.list_repositories().await?.into_iter();
            Ok(repositories
                .map(|repository| spot(&endpoint, repository))
                .collect())
        }
        Place::Address(Address::Registry(registry)) => {
            let client = connector.client(registry, None).await?;
            let mut spots = Vec::new();
            for repository in client.list_repositories().await? {
                let client = connector.client(registry, Some(&repository)).await?;
                spots.push(spot(&Endpoint::Registry(client), repository));
            }
            Ok(spots)
        }
        Place::Address(Address::Repository(registry, repository)) => {
            let client = connector.client(registry, Some(repository)).await?;
            Ok(vec![spot(&Endpoint::Registry(client), repository.clone())])
        }
    }
}

/// The repositories that mirrors write to, each once, also where nothing was written yet.
pub(super) async fn of_mirrors(
    connector: Connector,
    filename: &[PathBuf],
    set_env: bool,
    mirror: &[String],
) -> Result<Vec<Spot>, Error> {
    let documents = DocumentArgs::as_written(filename, set_env, mirror, None);
    let runnables = documents::read(&documents, connector.identities())?.runnables;
    let inputs = connect(connector, runnables, &documents);
    let mut seen: HashSet<(copy::Place, Repository)> = HashSet::new();
    let mut spots = Vec::new();
    for input in &inputs {
        let RoundInput { mirror, connection } = input;
        for (source, naming) in sources(input).await? {
            for destination in &mirror.destinations {
                let registry = &mirror.source.registry;
                let named = destination.repository_of(&naming, registry, &source);
                let repository = named.map_err(|error| Error::Image(error.to_string()))?;
                let endpoint = connection.destination(destination, &repository).await?;
                if seen.insert((endpoint.place(), repository.clone())) {
                    spots.push(Spot {
                        endpoint,
                        repository,
                        may_be_missing: true,
                    });
                }
            }
        }
    }
    Ok(spots)
}

/// The source repositories of a mirror with the names that its entries give them; of an entry with a glob
/// those that the source lists.
async fn sources(input: &RoundInput<MirrorConnection>) -> Result<Vec<(Repository, Naming)>, Error> {
    let RoundInput { mirror, connection } = input;
    let mut listed = None;
    let mut sources = Vec::new();
    for entry in &mirror.images {
        match &entry.repository {
            RepositorySelector::Literal(repository) => sources.push(repository.clone()),
            RepositorySelector::Glob(glob) => {
                if listed.is_none() {
                    let source = connection.source(None).await?;
                    listed = Some(source.list_repositories().await?);
                }
                let all = listed.iter().flatten();
                sources.extend(all.filter(|repository| glob.matches(repository)).cloned());
            }
        }
    }
    sources.sort();
    sources.dedup();
    let named = sources.into_iter().flat_map(|repository| {
        let namings = mirror.namings(&repository).into_iter();
        namings.map(move |naming| (repository.clone(), naming))
    });
    Ok(named.collect())
}
