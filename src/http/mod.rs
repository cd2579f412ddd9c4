//! One server for all that is served. Must not know the routes.

pub(crate) mod serve;
