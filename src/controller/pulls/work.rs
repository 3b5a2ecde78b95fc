// SPDX-License-Identifier: Apache-2.0

//! What is polled for a receiver.

use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;

use crate::api::ImageReceiver;
use crate::controller::objects::Guarded;
use crate::events::Sender;
use crate::identity::Puller;

/// A receiver to look at again.
pub(super) type ReceiverRef = ObjectRef<Guarded<ImageReceiver>>;

/// Says whether this process leads.
pub(super) type LeadsNow = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a receiver has done.
pub(in crate::controller) struct Work {
    /// Who takes the messages.
    pub(in crate::controller) puller: Puller,
    /// How they are read.
    pub(in crate::controller) sender: Sender,
}
