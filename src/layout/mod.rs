//! A directory tree of OCI image layouts.
