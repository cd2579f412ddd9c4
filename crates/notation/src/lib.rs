//! How values and mistakes are written, one way for the whole program.
//!
//! The ground on which the other crates stand: it depends on none of them. Must not know files, networks, probes or series.

pub mod diagnostic;
pub mod duration;
pub mod name;
pub mod number;
pub mod size;
pub mod suggestion;
pub mod sync;
pub mod text;

pub use diagnostic::{Diagnostic, Position};
pub use suggestion::did_you_mean;
