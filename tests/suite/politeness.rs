// SPDX-License-Identifier: Apache-2.0

//! A registry behind a limit of requests that says nothing of it, as nginx does.

use std::fs;
use std::net::SocketAddr;

use futures::future::join_all;
use tempfile::TempDir;

use crate::support::corpus::Corpus;
use crate::support::nginx::{Limit, Nginx};
use crate::support::program::Program;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

/// Twenty requests a second and five more at once.
const LIMIT: Limit = Limit {
    rate: 20,
    burst: 5,
    delays: false,
    status: 429,
};
const TAGS: usize = 30;
/// A hundred a second, for many more tags.
const HUNDRED: Limit = Limit {
    rate: 100,
    burst: 20,
    delays: false,
    status: 429,
};
const MANY_TAGS: usize = 500;

/// Which registry is behind the limit.
#[derive(Clone, Copy, Debug)]
enum Limited {
    Source,
    Destination,
    /// Both, by one limit: two names of one host.
    Both,
}

/// What came of a `sync` with a limit.
#[derive(Debug)]
struct Outcome {
    said: String,
    answered: usize,
    refused: usize,
}

/// Copies so many small images with one of the registries behind a limit.
async fn sync(limited: Limited, limit: Limit, tags: usize) -> Outcome {
    let corpus = Corpus::small_tags(1, tags, 2_000);
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    source.client().push_corpus(&corpus).await;
    let destination = match limited {
        Limited::Both => None,
        Limited::Source | Limited::Destination => {
            Some(Registry::start(Kind::Distribution3, Security::Plain).await)
        }
    };
    let destination = destination.as_ref().unwrap_or(&source);
    let server: SocketAddr = match limited {
        Limited::Source | Limited::Both => source.address(),
        Limited::Destination => destination.address(),
    };
    let nginx = Nginx::limiting(server, limit).await;
    let (from, to) = match limited {
        Limited::Source => (nginx.host(), destination.host()),
        Limited::Destination => (source.host(), nginx.host()),
        Limited::Both => (nginx.host(), nginx.host()),
    };
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("mirror.yaml");
    let mirror = format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{from}', insecure: true}}
  images: [{{repository: small/tags, tags: ['*']}}]
  destinations: [{{name: d, registry: '{to}', repository: 'copy/tags', insecure: true}}]
"
    );
    fs::write(&file, mirror).unwrap();
    let finished = Program::transship(&["sync", "--quiet", "-f"])
        .argument(&file)
        .run()
        .await;
    let requests = nginx.requests().await;
    let refused = requests
        .iter()
        .filter(|request| request.status == limit.status)
        .count();
    let case = format!("{limited:?} {limit:?}");
    assert_eq!(finished.code, Some(0), "{case}:\n{}", finished.stdout);
    let witness = Witness::new(destination.client(), "copy/tags");
    let mut witness = corpus
        .images()
        .fold(witness, |witness, (.., image)| witness.expecting(image));
    assert!(witness.check_all().await.is_empty(), "{case}");
    for (_, tag, image) in corpus.images() {
        assert_eq!(witness.digest(tag).await.unwrap(), image.digest(), "{case}");
    }
    let last = finished.stdout.lines().last().unwrap_or_default();
    Outcome {
        said: last.split(", ").take(3).collect::<Vec<_>>().join(", "),
        answered: requests.len() - refused,
        refused,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_without_a_word_is_met_and_everything_arrives() {
    let unavailable = Limit {
        status: 503,
        ..LIMIT
    };
    let delaying = Limit {
        delays: true,
        ..LIMIT
    };
    let cases = [
        (Limited::Destination, LIMIT),
        (Limited::Destination, unavailable),
        (Limited::Destination, delaying),
        (Limited::Source, LIMIT),
        (Limited::Source, unavailable),
        (Limited::Both, LIMIT),
    ];
    let outcomes = join_all(cases.map(|(limited, limit)| sync(limited, limit, TAGS))).await;
    for outcome in outcomes {
        assert_eq!(
            outcome.said, "30 copied, 0 unchanged, 0 failed",
            "{outcome:?}"
        );
        assert!(outcome.refused <= 20, "{outcome:?}");
        assert!(outcome.answered > 100, "the limit was met: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_few_are_refused() {
    for limited in [Limited::Destination, Limited::Source] {
        let outcome = sync(limited, HUNDRED, MANY_TAGS).await;
        assert_eq!(
            outcome.said, "500 copied, 0 unchanged, 0 failed",
            "{outcome:?}"
        );
        // One in 50 on a quiet machine; here other tests take the time between two requests.
        assert!(outcome.refused * 20 <= outcome.answered, "{outcome:?}");
    }
}
