// SPDX-License-Identifier: Apache-2.0

//! A source and a destination of the same kind, and what is asked of every copy between them.

use std::fmt;

use super::mirror::{Mirror, Report};
use crate::support::access_log::{Request, Resource, count};
use crate::support::content::Image;
use crate::support::poller::Poller;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

/// Two registries that serve all steps; each step has repositories of its own.
pub(super) struct Pair {
    pub(super) kind: Kind,
    security: Security,
    pub(super) source: Registry,
    /// Takes indexes without all of their children, where the program knows how.
    pub(super) destination: Registry,
}

/// What a registry was asked about one repository.
pub(super) struct Requests(Vec<Request>);

impl Pair {
    pub(super) async fn start(kind: Kind, security: Security) -> Self {
        let lenient = Registry::options(kind).sparse_indexes();
        let lenient = match security {
            Security::Plain => lenient,
            Security::Tls => lenient.tls(),
            Security::Basic => lenient.basic(),
            Security::Token => lenient.token(),
        };
        let (source, destination) = tokio::join!(Registry::start(kind, security), lenient.start());
        Self {
            kind,
            security,
            source,
            destination,
        }
    }

    /// A mirror of these tags of a repository, to the repository of the same name.
    pub(super) fn mirror(&self, repository: &str, tags: &[&str]) -> Mirror {
        Mirror::from(&self.source.access())
            .image(repository, tags)
            .to(&self.destination.access())
    }

    pub(super) async fn push(&self, repository: &str, tag: &str, image: &Image) {
        self.source.client().push(repository, tag, image).await;
    }

    /// Runs a mirror while a reader looks at a repository of the destination all the time: whatever
    /// tag is visible is complete, and has the referrers of the images that it names.
    pub(super) async fn sync(
        &self,
        mirror: &Mirror,
        repository: &str,
        images: &[&Image],
    ) -> Report {
        sync_watched(mirror, &[&self.destination], &[repository], images).await
    }

    /// Whether a tag of the destination names an image, whole and with its referrers.
    pub(super) async fn assert_arrived(&self, repository: &str, tag: &str, image: &Image) {
        assert_arrived(&self.destination, repository, tag, image).await;
    }

    /// What both registries are asked about a repository by one more run.
    pub(super) async fn requests_of_run(
        &self,
        mirror: &Mirror,
        repository: &str,
    ) -> (Report, Requests, Requests) {
        let places = [&self.source, &self.destination];
        let mut before = Vec::new();
        for registry in places {
            before.push(registry.requests().await.len());
        }
        let report = mirror.sync().await;
        let mut asked = Vec::new();
        for (registry, before) in places.into_iter().zip(before) {
            let path = format!("/v2/{repository}/");
            let mut requests = registry.requests().await.split_off(before);
            requests.retain(|request| request.path.starts_with(&path));
            asked.push(Requests(requests));
        }
        let [source, destination] = asked.try_into().unwrap_or_else(|_| unreachable!());
        (report, source, destination)
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {:?}", self.kind, self.security)
    }
}

impl Requests {
    pub(super) fn count(&self, method: &str, resource: Resource) -> usize {
        count(&self.0, method, resource)
    }

    /// Requests that change something, refused ones included.
    pub(super) fn writes(&self) -> usize {
        self.0
            .iter()
            .filter(|request| request.is_mutating())
            .count()
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for request in &self.0 {
            writeln!(
                formatter,
                "{} {} {}",
                request.method, request.path, request.status
            )?;
        }
        Ok(())
    }
}

/// Runs a mirror while a reader polls repositories of its destinations.
pub(super) async fn sync_watched(
    mirror: &Mirror,
    destinations: &[&Registry],
    repositories: &[&str],
    images: &[&Image],
) -> Report {
    let watch =
        |destination: &&Registry| Poller::watch_images(&destination.client(), repositories, images);
    let pollers: Vec<Poller> = destinations.iter().map(watch).collect();
    let report = mirror.sync().await;
    for poller in pollers {
        let problems = poller.finish().await.problems;
        assert_eq!(problems, [], "{repositories:?}: {report}");
    }
    report
}

/// Whether a tag names an image, whole and with its referrers.
pub(super) async fn assert_arrived(
    registry: &Registry,
    repository: &str,
    tag: &str,
    image: &Image,
) {
    let mut witness = Witness::new(registry.client(), repository).expecting(image);
    let kind = registry.kind();
    assert_eq!(
        witness.check(tag).await,
        [],
        "{repository}:{tag} of {kind:?}"
    );
    let found = witness.digest(tag).await.unwrap();
    assert_eq!(found, image.digest(), "{repository}:{tag} of {kind:?}");
}
