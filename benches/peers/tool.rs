// SPDX-License-Identifier: Apache-2.0

//! The tools, each as a person would run it who knows it well.
//!
//! The task is the same for all: every tag of these repositories. Where a tool copies one thing per process,
//! [`PROCESSES`] of them run at once, as `xargs -P` does; those that cannot find out the tags are told them.
//! Referrers are only asked of a peer where there are any; Transship looks for them by itself.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::job::{Job, Route};
use crate::support::content::FoundBy;
use crate::support::program::Program;
use crate::support::tools;

/// Processes of one tool at a time, for tools that need several.
pub(crate) const PROCESSES: usize = 4;

/// What a tool that has a setting for it may do at a time.
const PARALLEL: usize = 8;

/// A tool that copies images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tool {
    /// Ours, without memory: each run looks again at what refers to images.
    Transship,
    /// Ours, with a state file: what refers to images is looked at once a day.
    #[serde(rename = "transship-state")]
    TransshipState,
    /// From go-containerregistry.
    Crane,
    /// From regclient.
    Regsync,
    /// From the containers project.
    Skopeo,
    /// From the ORAS project.
    Oras,
}

impl Tool {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Transship,
        Self::TransshipState,
        Self::Crane,
        Self::Regsync,
        Self::Skopeo,
        Self::Oras,
    ];

    /// Its name in arguments and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Transship => "transship",
            Self::TransshipState => "transship-state",
            Self::Crane => "crane",
            Self::Regsync => "regsync",
            Self::Skopeo => "skopeo",
            Self::Oras => "oras",
        }
    }

    /// Whether it is no peer.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Transship | Self::TransshipState)
    }

    /// Whether the tool, run as here, says that it copies this kind of referrer.
    pub(crate) fn claims(self, kind: &FoundBy) -> bool {
        match (self, kind) {
            // crane copies them as tags like any other, which is enough where they are tags.
            (Self::Transship | Self::TransshipState | Self::Crane | Self::Regsync, _)
            | (Self::Oras, FoundBy::Subject) => true,
            (Self::Skopeo, _) | (Self::Oras, FoundBy::Tag(_)) => false,
        }
    }

    /// The programs that do the job.
    pub(crate) fn programs(self, job: &Job<'_>) -> Vec<Program> {
        match self {
            Self::Transship => vec![transship(job)],
            Self::TransshipState => {
                let state = job.directory.join("state.json");
                vec![transship(job).argument("--state").argument(state)]
            }
            Self::Crane => crane(job),
            Self::Regsync => regsync(job),
            Self::Skopeo => skopeo(job),
            Self::Oras => oras(job),
        }
    }
}

fn transship(job: &Job<'_>) -> Program {
    let repositories = job.corpus.repositories.iter();
    let images =
        repositories.map(|repository| json!({"repository": repository.name, "tags": ["*"]}));
    let access = |registry: &str| {
        if job.is_plain() {
            json!({"registry": registry, "insecure": true})
        } else {
            json!({"registry": registry, "certSecretRef": {"name": "authorities"}})
        }
    };
    let destinations = job.destinations.iter().enumerate();
    let destinations = destinations.map(|(number, registry)| {
        let mut destination = access(registry);
        destination["name"] = json!(format!("d{number}"));
        destination
    });
    let mirror = json!({
        "apiVersion": "transship.dev/v1alpha1",
        "kind": "ImageMirror",
        "metadata": {"name": "peers"},
        "spec": {
            "source": access(&job.source),
            "images": images.collect::<Vec<_>>(),
            "destinations": destinations.collect::<Vec<_>>(),
        },
    });
    let authorities = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "authorities"},
        "stringData": {"ca.crt": job.authorities},
    });
    let program = Path::new(env!("CARGO_BIN_EXE_transship"));
    let program = job
        .program(program, &["sync", "-f"])
        .argument(job.file("mirror.yaml", &mirror));
    if job.is_plain() {
        return program;
    }
    let file = job.file("authorities.yaml", &authorities);
    program.argument("-f").argument(file)
}

/// One process per repository, eight tags at a time.
fn crane(job: &Job<'_>) -> Vec<Program> {
    let crane = tools::built("crane");
    let parallel = PARALLEL.to_string();
    let mut copy = vec!["copy", "--all-tags", "--jobs", &parallel];
    copy.extend(job.is_plain().then_some("--insecure"));
    job.routes()
        .map(|route| {
            job.program(&crane, &copy)
                .argument(route.from)
                .argument(route.to)
        })
        .collect()
}

/// One process for all, eight entries at a time and as many requests per host. An entry is a repository,
/// as for crane and Transship: its tags are to be found out. `fastCheck` makes an unchanged tag cost two
/// HEAD requests even where referrers are copied.
fn regsync(job: &Job<'_>) -> Vec<Program> {
    let hosts = job.destinations.iter().chain([&job.source]);
    let tls = if job.is_plain() {
        "disabled"
    } else {
        "enabled"
    };
    let host = |host| json!({"registry": host, "tls": tls, "reqConcurrent": PARALLEL});
    let copies = job.routes().map(|route| {
        json!({"source": route.from, "target": route.to, "type": "repository", "tags": {"deny": ["sha256-.*"]}})
    });
    let referrers = job.has_referrers();
    let configuration = json!({
        "version": 1,
        "creds": hosts.map(host).collect::<Vec<_>>(),
        "defaults": {"parallel": PARALLEL, "referrers": referrers, "digestTags": referrers, "fastCheck": true},
        "sync": copies.collect::<Vec<_>>(),
    });
    let file = job.file("regsync.yaml", &configuration);
    let once = ["once", "--verbosity", "warn", "--config"];
    vec![job.program(&tools::built("regsync"), &once).argument(file)]
}

/// `sync` rather than `copy`, because only that looks first whether an image is there already. It works
/// serially: a repository goes to one process, or to several if there are few repositories.
fn skopeo(job: &Job<'_>) -> Vec<Program> {
    let routes: Vec<_> = job.routes().collect();
    let shares = PROCESSES.div_ceil(routes.len());
    let mut programs = Vec::new();
    for route in &routes {
        for tags in route.tags.chunks(route.tags.len().div_ceil(shares)) {
            let name = format!("skopeo{}.yaml", programs.len());
            programs.push(skopeo_sync(job, route, tags, &name));
        }
    }
    programs
}

fn skopeo_sync(job: &Job<'_>, route: &Route<'_>, tags: &[&str], file_name: &str) -> Program {
    let images = json!({job.source.as_str(): {"tls-verify": !job.is_plain(), "images": {route.repository: tags}}});
    let verify = format!("--dest-tls-verify={}", !job.is_plain());
    let sync = [
        "--insecure-policy",
        "sync",
        "--all",
        &verify,
        "--src",
        "yaml",
        "--dest",
        "docker",
    ];
    // It appends the last component of the repository by itself.
    let (namespace, _) = route.to.rsplit_once('/').unwrap_or_default();
    job.program(&tools::packaged("skopeo"), &sync)
        // Keeps its memory of blobs in the home even for root.
        .environment("_CONTAINERS_ROOTLESS_UID", "65534")
        .argument(job.file(file_name, &images))
        .argument(namespace)
}

/// One process per tag.
fn oras(job: &Job<'_>) -> Vec<Program> {
    let oras = tools::built("oras");
    let parallel = PARALLEL.to_string();
    let mut copy = vec!["cp", "--no-tty", "--concurrency", &parallel];
    if job.is_plain() {
        copy.extend(["--from-plain-http", "--to-plain-http"]);
    }
    copy.extend(job.has_referrers().then_some("--recursive"));
    let mut programs = Vec::new();
    for route in job.routes() {
        programs.extend(route.tags.iter().map(|tag| {
            let (from, to) = (
                format!("{}:{tag}", route.from),
                format!("{}:{tag}", route.to),
            );
            job.program(&oras, &copy).argument(from).argument(to)
        }));
    }
    programs
}
