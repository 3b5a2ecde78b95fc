// SPDX-License-Identifier: Apache-2.0

//! A process of a version that knows nothing of shards: who holds the one lease works on everything.

use std::pin::pin;
use std::rc::Rc;

use futures::future::select;
use jiff::Timestamp;

use super::{Fate, Life, World};
use crate::runtime::lease::claim::Term;
use crate::runtime::lease::decide::{Step, View, decide};
use crate::runtime::lease::{Identity, Settings, record};

pub(super) async fn supervise(world: Rc<World>, life: Rc<Life>) {
    let mut number = 0;
    loop {
        if life.fate.get() == Fate::Works {
            number += 1;
            let name = format!("old{number}");
            select(pin!(lead(&world, &life, &name)), pin!(life.killed())).await;
            life.held.borrow_mut().clear();
            life.term.set(None);
        }
        if life.fate.get() == Fate::Leaves {
            life.fate.set(Fate::Gone);
        }
        world.sleep(500 + world.random(1_500)).await;
        world.go_on(&life).await;
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
    for beat in 1.. {
        if let Some((lease, version)) = world.ask(life, |api| api.joint()).await {
            view.see(lease, &identity, timing.duration(), world.now(life));
            let (began, time) = (world.now(life), Timestamp::from_second(beat).unwrap());
            let next = match decide(&view, &identity, began) {
                Step::Wait { .. } if life.term.get().is_some() => return,
                Step::Wait { .. } => None,
                Step::Create => Some(record::created(&settings, time)),
                Step::Take(lease) => Some(record::taken(lease, &settings, time)),
                Step::Renew(lease) => Some(record::renewed(lease, &settings, time)),
            };
            if let Some(next) = next {
                let write = world.ask(life, move |api| api.write_joint_lease(next, version));
                let until = began + timing.renew_deadline();
                if write.await == Some(true) && !hold(world, life, Term::new(until), until) {
                    return;
                }
            }
        }
        let retry = timing.retry().div_f64(life.rate);
        world.clock.sleep_until(world.clock.now() + retry).await;
        world.go_on(life).await;
    }
}

/// False: the claim is over.
fn hold(world: &World, life: &Life, new: Term, until: tokio::time::Instant) -> bool {
    let term = match life.term.get() {
        None => {
            *life.held.borrow_mut() = life.division.shards().collect();
            new
        }
        Some(mut term) => {
            if !term.extend(until, world.now(life)) {
                return false;
            }
            term
        }
    };
    life.term.set(Some(term));
    world.judge();
    true
}
