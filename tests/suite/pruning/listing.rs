// SPDX-License-Identifier: Apache-2.0

//! The workloads of a large cluster are listed page by page, and as a whole or not at all.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use transship::api::Reason;
use transship::controller::workloads::{ClusterWorkloads, Kind};
use transship::oci::{Digest, Reference};
use transship::plan::in_use::{InUse, Subject};
use transship::runtime::kubernetes::Clients;
use transship::sync::workloads::{Workloads, WorkloadsError};

use crate::support::cluster::api_proxy::refusal;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Draft, Gate, Recorded};
use crate::support::http::server::{Handler, Server};
use crate::support::http::{Reply, Request, form_values};
use crate::support::program::Program;

/// As many Pods as a large cluster has.
const MANY: usize = 20_000;
/// Pods of a page.
const PAGE: usize = 500;

/// Where the Pods of all namespaces are.
const PODS: &str = "/api/v1/pods";

/// An API server that has Pods, nothing else, and as many on a page as it is asked for.
struct ApiServer {
    server: Server,
    directory: TempDir,
}

/// The Pods, one for each number.
#[derive(Clone, Copy)]
struct Pods {
    count: usize,
    /// How many images they use. The names of the images are the numbers, too.
    images: usize,
    /// Bytes of each that nobody needs.
    ballast: usize,
}

impl ApiServer {
    fn start(pods: Pods) -> Self {
        Self {
            server: Server::start(Arc::new(pods), None),
            directory: TempDir::new().unwrap(),
        }
    }

    fn kubeconfig(&self) -> PathBuf {
        let path = self.directory.path().join("kubeconfig");
        let content = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "large",
            "clusters": [{"name": "large", "cluster": {"server": self.server.url()}}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "large", "context": {"cluster": "large", "user": "nobody"}}],
        });
        fs::write(&path, content.to_string()).unwrap();
        path
    }

    /// What workloads use, as the program sees it.
    async fn look(&self) -> Result<InUse, WorkloadsError> {
        let clients = Clients::configure(Some(&self.kubeconfig()), None).await;
        Workloads::look(&ClusterWorkloads::new(clients.unwrap().call)).await
    }

    /// A rule for the page of Pods that begins with this one.
    fn on_page(&self, first: usize) -> Draft<'_> {
        self.server
            .script()
            .when(move |request| request.path == PODS && first_of(&request.query) == first)
    }

    /// The pages of Pods that were asked for.
    fn pages(&self) -> Vec<Recorded> {
        let mut requests = self.server.script().requests();
        requests.retain(|request| request.path == PODS);
        requests
    }

    /// The first Pod of each of these.
    fn firsts(&self) -> Vec<usize> {
        let pages = self.pages();
        pages.iter().map(|page| first_of(&page.query)).collect()
    }
}

impl Handler for Pods {
    fn answer(&self, request: &Request) -> Reply {
        let mut kinds = Kind::ALL.into_iter();
        let is_asked = |kind: &Kind| request.path.ends_with(&format!("/{}", kind.plural()));
        let Some(kind) = kinds.find(is_asked) else {
            return refusal(404, "NotFound", "there is no such kind");
        };
        let count = if kind == Kind::Pod { self.count } else { 0 };
        let limit = request.parameter("limit").expect("a page with a limit");
        let first = first_of(&request.query);
        let end = count.min(first + limit.parse::<usize>().expect("a number"));
        let mut metadata = json!({"resourceVersion": "7"});
        if end < count {
            metadata["continue"] = token(end).into();
            metadata["remainingItemCount"] = (count - end).into();
        }
        let items: Vec<Value> = (first..end).map(|number| self.pod(number)).collect();
        let list = json!({
            "apiVersion": kind.api_version(), "kind": format!("{}List", kind.name()),
            "metadata": metadata, "items": items,
        });
        Reply::json(200, &list)
    }

    fn rehearse(&self, request: &Request) -> Reply {
        self.answer(request)
    }
}

impl Pods {
    /// Each with an image of its own.
    fn different(count: usize) -> Self {
        Self {
            count,
            images: count,
            ballast: 0,
        }
    }

    fn pod(self, number: usize) -> Value {
        let image = number % self.images;
        let runs = format!("eu.corp/runs@{}", digest(image));
        json!({
            "metadata": {
                "name": format!("pod-{number}"), "namespace": "large",
                "annotations": {"ballast": ".".repeat(self.ballast)},
            },
            "spec": {"containers": [{"name": "a", "image": named(image)}]},
            "status": {"containerStatuses": [{"name": "a", "image": "", "imageID": runs}]},
        })
    }
}

/// The image that a Pod names.
fn named(image: usize) -> String {
    format!("eu.corp/app:{image}")
}

/// The digest that a Pod runs.
fn digest(image: usize) -> Digest {
    format!("sha256:{image:064x}").parse().unwrap()
}

/// The token of the page that begins with this Pod. It is nobody else's to read, and no text for a URL.
fn token(first: usize) -> String {
    format!("{first}/+=&?")
}

/// The first Pod of the page that a query asks for.
fn first_of(query: &str) -> usize {
    let tokens = form_values(query.as_bytes(), "continue");
    tokens.first().map_or(0, |token| {
        let first = token.strip_suffix("/+=&?").expect("a token of ours");
        first.parse().expect("a token of ours")
    })
}

/// Who uses an image by its name, and who by its digest.
fn users(in_use: &InUse, image: usize) -> [Option<&str>; 2] {
    let user = |name: &str, digests: &[Digest]| {
        let reference: Reference = name.parse().unwrap();
        let tag = reference.tag.unwrap();
        let place = (&reference.registry, &reference.repository, &tag);
        in_use.user_of(&Subject {
            destination: place,
            source: place,
            digests,
        })
    };
    [
        user(&named(image), &[]),
        user("eu.corp/other:1", &[digest(image)]),
    ]
}

/// Goes on only if every Pod uses its image.
fn assert_whole(in_use: &InUse, count: usize) {
    for number in 0..count {
        let pod = format!("Pod large/pod-{number}");
        assert_eq!(users(in_use, number), [Some(pod.as_str()); 2]);
    }
    assert_eq!(users(in_use, count), [None; 2]);
    assert_eq!(in_use.count_users(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pod_of_every_page_is_in_use() {
    let api_server = ApiServer::start(Pods::different(MANY));
    let in_use = api_server.look().await.unwrap();
    assert_whole(&in_use, MANY);
    let firsts: Vec<usize> = (0..MANY).step_by(PAGE).collect();
    assert_eq!(firsts.len(), MANY.div_ceil(PAGE));
    assert_eq!(
        api_server.firsts(),
        firsts,
        "each page once, one after another"
    );
    for page in api_server.pages() {
        let limits = form_values(page.query.as_bytes(), "limit");
        assert_eq!(limits, [PAGE.to_string()]);
        // A version would let the API server answer from a cache, which may be old and knows no pages.
        assert!(!page.query.contains("resourceVersion"), "{}", page.query);
    }
    let lists = api_server.server.script().requests();
    let kinds: BTreeSet<String> = lists.into_iter().map(|list| list.path).collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "{kinds:?}");
}

/// The page with another text in it.
fn with(text: &'static str, other: &'static str) -> Action {
    Action::map_body(move |page| {
        let page = String::from_utf8(page.to_vec()).unwrap();
        assert!(page.contains(text));
        page.replace(text, other).into()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_fails_in_the_middle_leaves_nothing_of_the_list() {
    const COUNT: usize = 4 * PAGE;
    let api_server = ApiServer::start(Pods::different(COUNT));
    let unreachable = [
        Action::Respond(refusal(500, "InternalError", "etcd is slow")),
        Action::Respond(refusal(429, "TooManyRequests", "not now")),
        Action::Respond(refusal(410, "Expired", "too old")),
        Action::Close,
        Action::CutBody(10_000),
    ];
    let not_understood = [
        Action::Respond(refusal(404, "NotFound", "no such thing")),
        with(r#""items""#, r#""rest""#),
        with("PodList", "JobList"),
        with(r#""namespace":"large""#, r#""namespace":7"#),
        with(r#""containers""#, r#""vessels""#),
        with(r#""image":"eu.corp/app:1234""#, r#""image":[]"#),
        with("}]}", "}]"),
    ];
    let others = [
        (
            Action::Respond(refusal(403, "Forbidden", "pods is forbidden")),
            Reason::AccessDenied,
        ),
        (
            Action::Respond(refusal(401, "Unauthorized", "who are you")),
            Reason::AuthenticationFailed,
        ),
    ];
    let unreachable = unreachable.map(|action| (action, Reason::Unreachable));
    let not_understood = not_understood.map(|action| (action, Reason::DependencyNotReady));
    let cases = unreachable.into_iter().chain(not_understood).chain(others);
    for (index, (action, reason)) in cases.enumerate() {
        api_server.on_page(2 * PAGE).does(action);
        let error = api_server.look().await.unwrap_err();
        assert_eq!(error.reason, reason, "{index}: {error}");
        assert_eq!(api_server.firsts().last(), Some(&(2 * PAGE)), "{index}");
        api_server.server.script().clear_rules();
    }

    // One that has expired is begun again: nothing of the state before counts, and nothing is missing.
    api_server.server.script().clear_requests();
    let expired = refusal(410, "Expired", "too old");
    api_server.on_page(2 * PAGE).nth(1).responds(expired);
    let in_use = api_server.look().await.unwrap();
    assert_whole(&in_use, COUNT);
    let firsts = [0, 1, 2, 0, 1, 2, 3].map(|page| page * PAGE);
    assert_eq!(api_server.firsts(), firsts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_too_large_is_asked_for_with_fewer_objects() {
    const LARGE: usize = 256 * 1024;
    let api_server = ApiServer::start(Pods {
        ballast: LARGE,
        ..Pods::different(150)
    });
    assert_whole(&api_server.look().await.unwrap(), 150);
    let pages = api_server.pages();
    let limits: Vec<String> = pages
        .iter()
        .flat_map(|page| form_values(page.query.as_bytes(), "limit"))
        .collect();
    assert_eq!(limits, ["500", "62", "62", "62"]);
    assert_eq!(api_server.firsts(), [0, 0, 62, 124]);

    let api_server = ApiServer::start(Pods {
        ballast: 33 * 1024 * 1024,
        ..Pods::different(1)
    });
    let error = api_server.look().await.unwrap_err();
    let expected = "the pods cannot be listed: one object has more than 33554432 bytes";
    assert_eq!(error.to_string(), expected);
}

/// The most memory that a process has had so far, in bytes.
fn peak_memory(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.unwrap().split_whitespace().next().unwrap();
    kibibytes.parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_takes_the_memory_of_a_few_pages() {
    const BALLAST: usize = 4096;
    let api_server = ApiServer::start(Pods {
        count: MANY,
        images: 10,
        ballast: BALLAST,
    });
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    for (tag, seed) in [("keep", 1), ("7", 2), ("drop", 3)] {
        let image = ImageBuilder::new(seed).layers(&[64]).build();
        source.load("app", tag, &image);
    }
    let directory = api_server.directory.path();
    let command = |arguments: &[&str], tags: &str| {
        let (source, destination) = (source.host(), destination.host());
        let mirror = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror", "metadata": {"name": "m"},
            "spec": {
                "source": {"registry": source, "insecure": true},
                "images": [{"repository": "app", "tags": [tags]}],
                "destinations": [{"name": "d", "registry": destination, "insecure": true}],
                "prune": {"mode": "Plan"},
            },
        });
        fs::write(directory.join("mirror.yaml"), mirror.to_string()).unwrap();
        Program::transship(arguments)
            .argument("-f")
            .argument(directory.join("mirror.yaml"))
            .argument("--state")
            .argument(directory.join("state.json"))
    };
    command(&["sync"], "*").run().await.assert_success();

    // The process stands still where the second page and the last one are about to come.
    let (second, last) = (Gate::closed(), Gate::closed());
    for (first, gate) in [(PAGE, &second), (MANY - PAGE, &last)] {
        let page = api_server.on_page(first);
        page.does(Action::HoldReply(gate.clone()));
    }
    let looking = command(&["prune", "-o", "json"], "keep")
        .argument("--in-use-from")
        .argument(api_server.kubeconfig())
        .start();
    second.reached().await;
    let before = peak_memory(looking.pid());
    second.open();
    last.reached().await;
    let grown = peak_memory(looking.pid()) - before;
    last.open();
    let finished = looking.finish().await;
    finished.assert_success();
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    let totals = &document["totals"];
    assert_eq!(
        (&totals["protected"], &totals["waiting"]),
        (&json!(1), &json!(1))
    );

    let whole = MANY * BALLAST;
    eprintln!(
        "{whole} bytes of Pods took {before} bytes of memory with one page, and {grown} more with all"
    );
    assert!(grown < whole / 4, "{grown} of {whole}");
}
