//! The health monitor: one target list, two ways to run it.
//!
//! ```text
//! config → schedule → probe → flow → { exposition | store } → rules → notify → web
//! ```
//!
//! A module may import from those to its left only; `monitor`, `clock`, `explain` and `telemetry` are shared by all of
//! them, `app` wires them, `cli` and `demo` start it.

pub mod clock;
pub mod explain;
pub mod telemetry;

pub mod config;
pub mod monitor;
pub mod schedule;

pub mod flow;

pub mod expose;

pub mod notify;
pub mod receive;
pub mod rules;

pub mod web;

pub mod app;
pub mod cli;
pub mod demo;
