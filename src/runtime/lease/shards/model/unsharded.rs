// SPDX-License-Identifier: Apache-2.0

//! A process of a version that knows nothing of shards: who holds the one lease works on everything.

use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{Fate, Life, World};
use crate::runtime::lease::claim::Expiry;
use crate::runtime::lease::decide::{Step, View, decide};
use crate::runtime::lease::shards::Shard;
use crate::runtime::lease::{Identity, Settings, record};

pub(super) async fn supervise(world: Rc<World>, life: Rc<Life>) {
    let mut number = 0;
    loop {
        if life.fate.get() == Fate::Works {
            number += 1;
            let name = format!("old{number}");
            tokio::select! {
                () = lead(&world, &life, &name) => {}
                () = life.killed() => {}
            }
            life.held.borrow_mut().clear();
            *life.claim.borrow_mut() = None;
        }
        if life.fate.get() == Fate::Leaves {
            life.fate.set(Fate::Gone);
        }
        sleep(Duration::from_millis(500 + world.random(1_500))).await;
        life.go_on().await;
    }
}

/// Contends for the lease and holds it, until it is lost.
async fn lead(world: &Rc<World>, life: &Life, name: &str) {
    let identity = Identity::named(name);
    let settings = Settings {
        identity: identity.clone(),
        ..Settings::new("system", "transship")
    };
    let timing = settings.timing;
    let mut view = View::default();
    let mut expiry: Option<Expiry> = None;
    for beat in 1.. {
        if let Some((lease, version)) = world.ask(life, |api| api.gate()).await {
            view.see(lease, &identity, timing.duration(), Instant::now());
            let (began, time) = (Instant::now(), Timestamp::from_second(beat).unwrap());
            let next = match decide(&view, &identity, began) {
                Step::Wait { .. } if expiry.is_some() => return,
                Step::Wait { .. } => None,
                Step::Create => Some(record::created(&settings, time)),
                Step::Take(lease) => Some(record::taken(lease, &settings, time)),
                Step::Renew(lease) => Some(record::renewed(lease, &settings, time)),
            };
            let written = match next {
                None => None,
                Some(next) => {
                    world
                        .ask(life, move |api| api.write_gate(next, version))
                        .await
                }
            };
            if written.flatten().is_some() {
                let until = began + timing.renew_deadline();
                match &expiry {
                    Some(expiry) if !expiry.extend(until) => return,
                    Some(_) => {}
                    None => {
                        let (new, claim) = Expiry::new(until);
                        expiry = Some(new);
                        *life.claim.borrow_mut() = Some(claim);
                        *life.held.borrow_mut() = Shard::all().collect();
                    }
                }
            }
        }
        sleep(timing.retry()).await;
        life.go_on().await;
    }
}
