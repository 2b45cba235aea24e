//! See the format.
