//! The hostile catalogue: situations by number, each with the one phase and reason that it has to end in, and with bounds on
//! time, processor time, memory, descriptors and tasks.
//!
//! One file for each group of situations, one [`Row`](row::Row) for each situation. Must not know how a probe works.

#[cfg(test)]
mod dns;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod row;
#[cfg(test)]
mod run;
#[cfg(test)]
mod syntax;
#[cfg(test)]
mod tcp;

#[cfg(test)]
mod tests {
    use crate::{dns, framing, http2, policy, row::Row, run, syntax, tcp};

    /// THE LIST: one line for each group.
    fn rows() -> Vec<Row> {
        [dns::rows(), framing::rows(), http2::rows(), policy::rows(), syntax::rows(), tcp::rows()]
            .into_iter()
            .flatten()
            .collect()
    }

    #[test]
    fn every_situation_ends_in_its_own_reason_within_its_bounds() {
        run::all(rows());
    }
}
