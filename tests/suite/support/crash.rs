// SPDX-License-Identifier: Apache-2.0

//! Kills a program at a chosen moment of a chosen request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use tokio::sync::watch;

use super::front::{Additions, Door, Front, Moment, Watcher};
use super::process::Process;
use super::program::{Finished, Killer, Program};

/// A proxy in front of a destination, through which a program is sent to its death. One crash point
/// serves many runs, so that the destination keeps its name.
pub struct CrashPoint {
    front: Front,
    armed: Arc<Mutex<Option<Armed>>>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Crash {
    /// What the program left behind.
    pub finished: Finished,
    /// Whether it was killed; if not, it made fewer requests than that.
    pub was_killed: bool,
}

/// Kills a program at a chosen change, counted over several servers: one watcher for the front of each.
#[derive(Clone)]
pub struct KillSwitch {
    count: Arc<Mutex<Count>>,
    target: watch::Sender<Option<Process>>,
}

/// Changes as they arrived, over all servers.
#[derive(Default)]
struct Count {
    watchers: usize,
    /// By watcher and its own number, the number over all.
    numbers: HashMap<(usize, usize), usize>,
    armed: Option<(Moment, usize)>,
}

struct Armed {
    moment: Moment,
    change: usize,
    killer: Killer,
}

impl CrashPoint {
    /// Puts a proxy in front of a registry that speaks plain HTTP.
    pub fn in_front_of(registry: SocketAddr) -> Self {
        let armed: Arc<Mutex<Option<Armed>>> = Arc::default();
        let trigger = Arc::clone(&armed);
        let watcher = move |moment, change| {
            let due = trigger
                .lock()
                .unwrap()
                .take_if(|armed| armed.moment == moment && armed.change == change);
            async move {
                let Some(mut armed) = due else {
                    return ControlFlow::Continue(());
                };
                armed.killer.kill().await;
                ControlFlow::Break(())
            }
            .boxed()
        };
        let additions = Additions {
            watcher: Some(Arc::new(watcher)),
            ..Additions::default()
        };
        Self {
            front: Door::open().serve(registry, additions),
            armed,
        }
    }

    /// `127.0.0.1:PORT`: the destination, as the program should name it.
    pub fn host(&self) -> String {
        self.front.address().to_string()
    }

    /// The proxy, for its log.
    pub fn front(&self) -> &Front {
        &self.front
    }

    /// Runs a program and kills it at the `change`-th (from 1) POST, PUT, PATCH or DELETE of this run.
    pub async fn run(&self, program: Program, moment: Moment, change: usize) -> Crash {
        let change = self.front.changes() + change;
        let running = {
            // Locked while it starts, so that not even its first request is missed.
            let mut armed = self.armed.lock().unwrap();
            let running = program.start();
            *armed = Some(Armed {
                moment,
                change,
                killer: running.killer(),
            });
            running
        };
        let finished = running.finish().await;
        let was_killed = self.armed.lock().unwrap().take().is_none();
        Crash {
            finished,
            was_killed,
        }
    }
}

impl KillSwitch {
    /// A switch that is not armed.
    pub fn new() -> Self {
        Self {
            count: Arc::default(),
            target: watch::Sender::new(None),
        }
    }

    /// What a server's front tells about its changes.
    pub fn watcher(&self) -> Watcher {
        let watcher = {
            let mut count = self.count.lock().unwrap();
            count.watchers += 1;
            count.watchers
        };
        let switch = self.clone();
        Arc::new(move |moment, number| {
            let is_due = switch.see(watcher, moment, number);
            let mut target = switch.target.subscribe();
            async move {
                if !is_due {
                    return ControlFlow::Continue(());
                }
                // A program's first request may be here before the test knows the program.
                let process = *target
                    .wait_for(Option::is_some)
                    .await
                    .expect("the switch holds its own sender");
                process.expect("a process").kill().await;
                ControlFlow::Break(())
            }
            .boxed()
        })
    }

    /// Chooses the moment of the `change`-th change (from 1) that arrives from now on.
    pub fn arm(&self, moment: Moment, change: usize) {
        self.target.send_replace(None);
        let mut count = self.count.lock().unwrap();
        count.armed = Some((moment, count.numbers.len() + change));
    }

    /// Chooses the program; until then the change waits.
    pub fn aim(&self, process: Process) {
        self.target.send_replace(Some(process));
    }

    /// Takes the choice back; whether it was still open, because there were fewer changes than that.
    pub fn disarm(&self) -> bool {
        self.count.lock().unwrap().armed.take().is_some()
    }

    /// How many changes have arrived.
    pub fn changes(&self) -> usize {
        self.count.lock().unwrap().numbers.len()
    }

    fn see(&self, watcher: usize, moment: Moment, number: usize) -> bool {
        let mut count = self.count.lock().unwrap();
        let next = count.numbers.len() + 1;
        let change = *count.numbers.entry((watcher, number)).or_insert(next);
        count
            .armed
            .take_if(|armed| *armed == (moment, change))
            .is_some()
    }
}

impl Default for KillSwitch {
    fn default() -> Self {
        Self::new()
    }
}
