// SPDX-License-Identifier: Apache-2.0

//! A registry that does not answer, and one that does not answer about one of its repositories.

use std::time::Duration;

use futures::future::join_all;
use tokio::task::JoinHandle;
use transship::oci::{Repository, Tag, TagOrDigest};
use transship::registry::{Client, Error, Kind, Pool};

use super::{image, insecure};
use crate::support::clock::Clock;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

/// More than the places that a host has for such requests.
const MANY: usize = 100;
/// Longer than anybody waits for an answer, and shorter than anybody comes back on its own.
const PATIENCE: Duration = Duration::from_secs(31);

const HEALTHY: [&str; 3] = ["team/app", "team/web", "other/app"];
const HANGS: &str = "team/hangs";

type Asked = Vec<JoinHandle<Result<(), Error>>>;

/// A registry of several repositories.
fn registry() -> FaultRegistry {
    let registry = FaultRegistry::start();
    for repository in HEALTHY.into_iter().chain([HANGS]) {
        registry.load(repository, "v1", &image());
    }
    registry
}

/// Clients of one process, each with knowledge of its own but for the way to the host.
fn clients<const N: usize>(registry: &FaultRegistry) -> [Client; N] {
    let pool = Pool::new("transship/test");
    let registry = registry.host().parse().unwrap();
    [(); N].map(|()| pool.client(&registry, &insecure()).unwrap())
}

/// Asks for a tag of a repository again and again, at once.
fn ask(client: &Client, repository: &str, times: usize) -> Asked {
    let repository: Repository = repository.parse().unwrap();
    let tag = TagOrDigest::Tag("v1".parse::<Tag>().unwrap());
    let ask = || {
        let (client, repository, tag) = (client.clone(), repository.clone(), tag.clone());
        tokio::spawn(async move {
            let found = client.fetch_manifest(&repository, &tag).await;
            found.map(drop)
        })
    };
    (0..times).map(|_| ask()).collect()
}

async fn outcomes(asked: Asked) -> Vec<Result<(), Error>> {
    let done = join_all(asked).await;
    done.into_iter().map(|done| done.unwrap()).collect()
}

/// All healthy repositories answer while the others still wait.
async fn assert_undisturbed(clock: &Clock, client: &Client, times: usize, waiting: &Asked) {
    for repository in HEALTHY {
        let found = clock.until(outcomes(ask(client, repository, times))).await;
        for found in found {
            assert!(found.is_ok(), "{repository}: {found:?}");
        }
    }
    assert!(waiting.iter().all(|one| !one.is_finished()), "they wait");
}

/// All of these failed, of their own repository, and how many of them were asked.
async fn assert_failed(clock: &Clock, registry: &FaultRegistry, asked: Asked) -> usize {
    clock.pass(PATIENCE * 2).await;
    for found in clock.until(outcomes(asked)).await {
        let error = found.unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        let said = error.to_string().replace(&registry.url(), "HOST");
        let is_own = said.contains("HOST did not answer in time")
            || said.contains("HOST did not answer lately about team/hangs");
        assert!(is_own, "{said}");
    }
    let requests = registry.requests();
    let of_it = requests.iter().filter(|one| one.path.contains(HANGS));
    of_it.count()
}

fn hang(registry: &FaultRegistry, part: &str) -> Gate {
    let gate = Gate::closed();
    registry.on("*", part).does(Action::Hold(gate.clone()));
    gate
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_hangs_fails_alone_whenever_that_begins() {
    for healthy_first in [true, false] {
        for was_healthy in [true, false] {
            for hanging in [1, MANY] {
                let clock = Clock::stopped();
                let registry = registry();
                let [client, other] = clients(&registry);
                if was_healthy {
                    let found = clock.until(outcomes(ask(&client, HANGS, 3))).await;
                    assert!(found.iter().all(Result::is_ok));
                }
                if healthy_first {
                    assert_undisturbed(&clock, &other, 5, &Vec::new()).await;
                }
                registry.script().clear_requests();
                let gate = hang(&registry, HANGS);
                let waiting = ask(&client, HANGS, hanging);
                clock.until(gate.reached()).await;
                assert_undisturbed(&clock, &other, MANY, &waiting).await;
                let asked = assert_failed(&clock, &registry, waiting).await;
                // Those that found a place before there was a doubt, and one every two seconds.
                assert!(asked <= 64 + 15, "{asked}");
                assert_undisturbed(&clock, &other, 5, &Vec::new()).await;
                // What others do says nothing of it.
                let again = ask(&client, HANGS, 20);
                assert_undisturbed(&clock, &other, 5, &Vec::new()).await;
                let more = assert_failed(&clock, &registry, again).await - asked;
                assert!(more <= 20, "{more}");
                gate.open();
                registry.script().clear_rules();
                clock.pass(Duration::from_secs(120)).await;
                let found = clock.until(outcomes(ask(&client, HANGS, 3))).await;
                assert!(found.iter().all(Result::is_ok), "{found:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn several_repositories_that_hang_hold_up_no_other_one() {
    let clock = Clock::stopped();
    let registry = registry();
    for number in 0..4 {
        registry.load(&format!("team/hangs-{number}"), "v1", &image());
    }
    let [client, other] = clients(&registry);
    let gate = hang(&registry, HANGS);
    let mut waiting = Vec::new();
    for number in 0..4 {
        waiting.extend(ask(&client, &format!("team/hangs-{number}"), MANY));
    }
    clock.until(gate.reached()).await;
    assert_undisturbed(&clock, &other, MANY, &waiting).await;
}

/// Lets all repositories hang until the host is left alone, and then heals what `still` does not name.
async fn silent_host(clock: &Clock, registry: &FaultRegistry, client: &Client, still: &str) {
    let gate = hang(registry, "/v2/");
    let all = HEALTHY.into_iter().chain([HANGS]);
    let asked: Asked = all
        .flat_map(|repository| ask(client, repository, 2))
        .collect();
    clock.until(gate.reached()).await;
    clock.pass(PATIENCE).await;
    for found in clock.until(outcomes(asked)).await {
        assert_eq!(found.unwrap_err().kind(), Kind::Unreachable);
    }
    let again = clock.until(outcomes(ask(client, HEALTHY[0], 1))).await;
    assert!(again[0].is_err());
    registry.script().clear_rules();
    gate.open();
    hang(registry, still);
    registry.script().clear_requests();
    clock.pass(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn who_goes_ahead_for_a_repository_that_hangs_holds_up_no_other_one() {
    let clock = Clock::stopped();
    let registry = registry();
    let [client, other] = clients(&registry);
    silent_host(&clock, &registry, &client, HANGS).await;
    let waiting = ask(&client, HANGS, 5);
    clock.until(tokio::task::yield_now()).await;
    assert_undisturbed(&clock, &other, 20, &waiting).await;
    let requests = registry.requests();
    let first = requests.first().map(|one| one.path.as_str());
    assert_eq!(first, Some("/v2/"), "it asked for all");
    assert_failed(&clock, &registry, waiting).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_costs_one_request_for_all() {
    let clock = Clock::stopped();
    let registry = registry();
    let [client, other] = clients(&registry);
    silent_host(&clock, &registry, &client, "/v2/").await;
    let mut asked = Vec::new();
    for repository in HEALTHY {
        asked.extend(ask(&client, repository, 20));
        asked.extend(ask(&other, repository, 20));
    }
    for found in clock.until(outcomes(asked)).await {
        assert_eq!(found.unwrap_err().kind(), Kind::Unreachable);
    }
    let requests = registry.requests();
    let paths: Vec<&str> = requests.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["/v2/"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_only_where_it_is_asked_for_nothing_is_found_out() {
    let clock = Clock::stopped();
    let registry = registry();
    let [client] = clients(&registry);
    silent_host(&clock, &registry, &client, HANGS).await;
    registry
        .script()
        .when(|request| request.path == "/v2/")
        .does(Action::Hold(Gate::closed()));
    let mut tries = 0;
    while clock.until(outcomes(ask(&client, HEALTHY[0], 1))).await[0].is_err() {
        tries += 1;
        assert!(tries < 10, "it is never asked for anything else");
        clock.pass(Duration::from_secs(120)).await;
    }
    assert!(tries > 0);
}
