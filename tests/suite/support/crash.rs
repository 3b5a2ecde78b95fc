//! Kills a program at a chosen moment of a chosen request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;

use super::front::{Additions, Door, Front, Moment};
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
                if let Some(mut armed) = due {
                    armed.killer.kill().await;
                }
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
