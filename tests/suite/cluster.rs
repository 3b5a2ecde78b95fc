//! A real Kubernetes control plane, and what works against it.

mod harness;
mod scene;
mod takeover;
