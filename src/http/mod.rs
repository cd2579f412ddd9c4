//! One server for all that is served: connections, limits, parameters, bodies and the usual answers.
//!
//! Must not know the routes, nor what they answer.

mod answer;
mod body;
pub(crate) mod limits;
mod parameters;
mod same_site;
mod serve;
mod turns;

pub(crate) use self::{
    answer::{json, plain},
    body::{Bodies, BodyError},
    parameters::Parameters,
    same_site::is_cross_site,
    serve::serve,
    turns::{Turns, Unfinished},
};
