// SPDX-License-Identifier: Apache-2.0

//! The page of each of several replicas that share the work: it says who works on what, and takes nothing for missing that
//! another one has on record.

use super::page::Page;
use super::scene::{Replica, Scene};
use super::stage::until;
use crate::support::cluster::Controller;
use crate::support::faults::FaultRegistry;

const MIRRORS: usize = 16;

/// A member, by the name that it has in leases.
struct Member {
    name: String,
    page: Page,
    _controller: Controller,
    /// It has the way to the API server.
    _replica: Replica,
}

impl Member {
    async fn start(scene: &Scene, account: &str) -> Self {
        let replica = scene.member(account, 4).await;
        let replica = replica.with("--page-address=127.0.0.1:0");
        let controller = replica.start().await;
        let joined = controller
            .wait_for_log(|line| line["message"] == "sharing the work")
            .await;
        Self {
            name: joined["member"].as_str().unwrap().to_owned(),
            page: Page::of(&controller).await,
            _controller: controller,
            _replica: replica,
        }
    }

    /// Whether it shows two shards of each of these, one of which it is itself.
    async fn shows_all(&self, names: [&str; 2]) -> bool {
        let told = self.page.get("/").await;
        if told.status != 200 {
            return false;
        }
        let told = told.text();
        let Some((_, members)) = told.split_once("This is the page of ") else {
            return false;
        };
        let is_shared = |name: &&str| {
            let own = if **name == *self.name {
                " (this one)"
            } else {
                ""
            };
            let row = members.split_once(&format!(" {name}{own} "));
            row.is_some_and(|(_, row)| {
                let shards = row.split(' ').take(2).collect::<String>();
                let mut shards = shards.split(',');
                shards.all(|shard| shard.len() == 1 && "0123".contains(shard))
            })
        };
        names.iter().all(is_shared) && members.starts_with(&self.name)
    }

    /// What it answers of an image.
    async fn answer(&self, image: &str) -> String {
        self.page.get(&format!("/?q={image}")).await.text()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_member_says_whom_to_ask() {
    let scene = Scene::prepare("shard-pages", 1_000).await;
    let destination = FaultRegistry::start();
    let names: Vec<String> = (0..MIRRORS)
        .map(|number| format!("mirror-{number}"))
        .collect();
    for name in &names {
        let place = scene.place(&format!("{name}/{{repository}}"));
        scene.mirror_as(name, &destination.host(), &place).await;
    }
    let one = Member::start(&scene, "one").await;
    let two = Member::start(&scene, "two").await;
    for name in &names {
        scene.wait_until_one_is_ready(name).await;
    }
    let both = [&*one.name, &*two.name];
    until("each shows both", async || {
        one.shows_all(both).await && two.shows_all(both).await
    })
    .await;

    let mut works = [0, 0];
    for name in &names {
        let image = format!(
            "{}/{}:1",
            destination.host(),
            scene.place(&format!("{name}/app"))
        );
        let (by_one, by_two) = (one.answer(&image).await, two.answer(&image).await);
        let found = format!("{image} is mirrored ");
        let (place, other, worker) = match (by_one.contains(&found), by_two.contains(&found)) {
            (true, false) => (0, by_two, &one),
            (false, true) => (1, by_one, &two),
            both => panic!("{both:?}: {by_one}\n{by_two}"),
        };
        works[place] += 1;
        for part in [
            format!("{image} is not mirrored as far as is known here"),
            format!("because member {} works on it (shard ", worker.name),
            "and has what is on record: ask its page".to_owned(),
        ] {
            assert!(other.contains(&part), "{part}: {other}");
        }
        // The table has all of them, with who works on each.
        let row = format!(
            "{}/{name} {}, shard ",
            scene.namespace().name(),
            worker.name
        );
        for member in [&one, &two] {
            let told = member.page.get("/").await.text();
            assert!(told.contains(&row), "{row}: {told}");
        }
    }
    assert!(works.iter().all(|works| *works > 0), "{works:?}");
    // Of a digest nothing is in the spec.
    let told = one.answer("sha256:1234567").await;
    let part = format!("is known to member {}: ask its page", two.name);
    assert!(told.contains(&part), "{told}");
}
