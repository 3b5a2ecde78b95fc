//! A real Kubernetes control plane, and what works against it.

mod admission;
mod crash;
mod harness;
mod scene;
mod takeover;
