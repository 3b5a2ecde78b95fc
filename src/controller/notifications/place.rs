// SPDX-License-Identifier: Apache-2.0

//! Has somebody send what waits for a notification.

use std::sync::Arc;

use super::channel::Channel;
use super::courier::Courier;
use super::seen::Seen;
use super::{MOST, MOST_OF_NAMESPACE, Notifier, Running, Target};
use crate::api::Reason;
use crate::plan::notification_status::Telling;

impl Notifier {
    /// Sends to a notification by this channel, unless that is done already, and says how that is.
    pub(in crate::controller) fn place(
        self: &Arc<Self>,
        target: &Target,
        channel: Channel,
    ) -> Telling {
        let mut state = self.lock();
        let looker = state.lookers.of(&target.namespace).cloned();
        let Some(followed) = state.targets.get_mut(target) else {
            return Telling::Waiting {
                reason: Reason::LimitExceeded,
                message: format!(
                    "{MOST_OF_NAMESPACE} notifications of this namespace are there already, or {MOST} of all"
                ),
            };
        };
        let running = followed.courier.as_ref();
        if let Some(running) = running.filter(|running| running.channel.is_like(&channel)) {
            return running.seen().telling();
        }
        followed.courier = None;
        let (stop, channel, seen) = (self.end.child_token(), Arc::new(channel), Arc::default());
        followed.courier = Some(Running {
            channel: Arc::clone(&channel),
            seen: Arc::clone(&seen),
            _stop: stop.clone().drop_guard(),
        });
        let courier = Courier {
            notifier: Arc::clone(self),
            target: target.clone(),
            channel,
            seen,
            more: Arc::clone(&followed.more),
            looker,
        };
        tokio::spawn(async move { stop.run_until_cancelled(courier.run()).await });
        Seen::default().telling()
    }
}
