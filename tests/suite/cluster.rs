//! A real Kubernetes control plane, and what works against it.

mod admission;
mod crash;
mod harness;
mod installation;
mod objects;
mod release;
mod rights;
mod scene;
mod takeover;
